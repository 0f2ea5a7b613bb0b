--- A policy of one's own that wants histograms: their last bound is infinity, which JSON has no word for.

local library = require("spec.support.library")

local POLICY = [[
local policy = { name = "h", api = 1, samples = true, own_weights = true,
  params = { slow = { type = "number" } } }
function policy.decide(ctx)
  local last = "none"
  for _, sample in ipairs(ctx.samples) do
    if sample.buckets then last = ("%g"):format(sample.buckets[#sample.buckets][1]) end
  end
  if ctx.now.weight < 10 then return { action = "shift", weight = 10, reason = "last bound " .. last } end
  return { action = "hold", reason = "last bound " .. last }
end
return policy
]]

describe("a policy in a worker that gets histograms", function()
  after_each(library.clean)

  it("sees their last bound as the largest number", function()
    local run = library.progressing({ files = { ["policies/h.lua"] = POLICY }, provider = "istio",
      analysis = "interval: 10s, threshold: 3, policy: {name: h, params: {slow: 500}}" })
    run:wait(function()
      local waiting = run:status("demo", "app").waiting
      return type(waiting) == "table" and waiting.detail == "last bound 1.79769e+308"
    end, 120)
  end)
end)
