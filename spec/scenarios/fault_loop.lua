--- Each fault of the API at each request of a whole release: no invariant breaks while it lasts, and the release
--- comes to its end once it is over.

local recorded = require("spec.support.recorded")
local stories = require("spec.support.stories")

local function same(calm, run, when)
  assert.same({}, recorded.compare(calm, stories.remains(run)), when)
end

local FAULTS = {
  { "refused", { before = "UNREACHABLE" } },
  { "reset before it took effect", { before = "reset" } },
  { "reset after it took effect", { after = "reset" } },
  { "a truncated answer", { after = "truncate" } },
  { "409", { before = "CONFLICT" } },
  { "410", { before = "GONE" } },
  { "422", { before = "INVALID" } },
  { "429", { before = "THROTTLED" } },
  { "500", { before = "BAD_ANSWER" } },
  { "500 after it took effect", { after = "BAD_ANSWER" } },
  { "silence", { after = "silence" } },
  { "an answer about another object", { after = "wrong" } },
}

local SPELL = 90 -- seconds that a lasting fault lasts
local STRIDE = 3 -- of the requests that a lasting one begins with

--- Breaks request `n`; with `lasting` all of the next SPELL seconds too.
local function broken(n, fault, lasting)
  return function(run)
    local met = 0
    local over
    run.world.api.fault = function(call)
      met = met + 1
      if met == n then over = call.time + SPELL end
      if met == n or lasting and over and call.time <= over then return fault end
    end
  end
end

for _, story in ipairs(stories.list) do
  describe("in the release " .. story.name, function()
    local calm, requests

    lazy_setup(function()
      local run = stories.play(story)
      calm, requests = stories.remains(run), #run.world.api.calls
    end)

    for _, fault in ipairs(FAULTS) do
      it(fault[1] .. " at any one request changes nothing in the end", function()
        for n = 1, requests do
          local run = stories.play(story, broken(n, fault[2]))
          same(calm, run, ("%s at request %d of %d"):format(fault[1], n, requests))
        end
      end)

      it(fault[1] .. " that lasts for a while changes nothing in the end", function()
        for n = 1, requests, STRIDE do
          local run = stories.play(story, broken(n, fault[2], true))
          same(calm, run, ("%s from request %d of %d on"):format(fault[1], n, requests))
        end
      end)
    end
  end)
end

describe("a fault of the metrics server", function()
  local story = stories.list[1]

  for name, code in pairs({ refused = "UNREACHABLE", silence = "TIMEOUT", ["a broken answer"] = "BAD_ANSWER" }) do
    it(name .. " at any one query costs one failed check", function()
      local queries = #stories.play(story).world.requests
      for n = 1, queries do
        local run = stories.play(story, function(started)
          started.world.http_fault = function(request) return request.n == n and code or nil end
        end)
        assert.equal("Succeeded", run:status("demo", "app").phase)
      end
    end)
  end
end)
