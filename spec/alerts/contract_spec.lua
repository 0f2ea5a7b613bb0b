--- Every file in lua/alerts/ keeps the contract and sends what its golden file says (spec/fixtures/alerts/<type>.json).

local frozen = require("spec.support.frozen")
local json = require("json")
local lfs = require("lfs")

local FULL = {
  canary = "app.demo", severity = "error", message = "Failed checks threshold reached 3 <&>",
  fields = { { name = "Target", value = "Deployment/app.demo" }, { name = "Cluster", value = "east & <west>" } },
}
local BARE = { canary = "app.demo", severity = "info", message = "Canary is waiting for approval.", fields = {} }
local TO = { address = "https://chat.example.com/hook?x=1", channel = "general", username = "flagger", token = "t0" }

local function providers()
  local out = {}
  for file in lfs.dir("lua/alerts") do out[#out + 1] = file:match("^([%w_]+)%.lua$") end
  table.sort(out)
  return out
end

local function golden(name)
  local file <close> = assert(io.open(("spec/fixtures/alerts/%s.json"):format(name)))
  return assert(json.decode(file:read("a")))
end

for _, name in ipairs(providers()) do
  describe("alerts." .. name, function()
    local provider = require("alerts." .. name)

    it("serves the type it is called after", function() assert.equal(name, provider.name) end)

    it("sends what its golden file says", function()
      local want = golden(name)
      for case, alert in pairs({ full = FULL, bare = BARE }) do
        local request = assert(frozen.call(provider.request, alert, TO))
        assert.equal(want[case].url, request.url)
        assert.equal(json.encode(want[case].body), json.encode(request.body), case)
        assert.same(want[case].headers or {}, request.headers or {})
      end
    end)
  end)
end

describe("alerts.msteams", function()
  it("sends an adaptive card to Workflows", function()
    local to = { address = "https://prod-1.westeurope.logic.azure.com:443/workflows/x/triggers?sig=y" }
    local request = require("alerts.msteams").request(FULL, to)
    assert.equal(json.encode(golden("msteams").workflow), json.encode(request.body))
  end)

  it("is not led astray by what only looks like their address", function()
    for _, address in ipairs({ "https://example.com/x.logic.azure.com", "https://logic.azure.com.example.com/" }) do
      assert.equal("MessageCard", require("alerts.msteams").request(BARE, { address = address }).body["@type"])
    end
  end)
end)

describe("alerts.discord", function()
  it("appends /slack to the path once", function()
    local discord = require("alerts.discord")
    for address, url in pairs({ ["https://d/api/1"] = "https://d/api/1/slack",
      ["https://d/api/1/slack"] = "https://d/api/1/slack",
      ["https://d/api/1/?wait=true"] = "https://d/api/1/slack?wait=true" }) do
      assert.equal(url, discord.request(BARE, { address = address }).url)
    end
  end)
end)
