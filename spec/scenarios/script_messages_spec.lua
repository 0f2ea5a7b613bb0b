--- What is said about a fault in a script of a user's own: beside the release (condition or event), and by
--- `serin check` before anything runs. The script, the line of its source, what was expected and found, and the nearest
--- name.

local T = require("T")
local json = require("json")
local library = require("spec.support.library")
local script = require("script")
local verb = require("spec.support.verb")

local MANIFEST = [[
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: app, namespace: demo}
spec:
  provider: istio
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: app}
  service: {port: 80}
  analysis: {%s}
]]
local STEP = "interval: 10s, threshold: 2, maxWeight: 50, stepWeight: 25, "

-- One script of each kind, which is right; its functions are nested, as those of users are.
local KINDS = {
  check = { path = "checks/mine.lua", uses = "metrics: [{name: m, script: {name: mine, params: {most: 5}}}]",
    params = "spec.analysis.metrics[0].script.params", names = "spec.analysis.metrics[0].script.name", source = [[
local mine = {
  name = "mine", api = 1, grants = { "prom" },
  params = { most = { type = "number", default = 5 } },
}
local function asked()
  return prom.query(nil, "vector(1)")
end
function mine.run(ctx)
  local value = asked()
  return verdict.pass{ value = value, rule = "<= " .. ctx.params.most }
end
return mine]] },
  policy = { path = "policies/mine.lua", uses = "policy: {name: mine, params: {most: 5}}",
    params = "spec.analysis.policy.params", names = "spec.analysis.policy.name", source = [[
local mine = {
  name = "mine", api = 1,
  params = { most = { type = "number", default = 5 } },
}
local function asked()
  return clock.now()
end
function mine.decide(ctx)
  local value = asked()
  return { action = "hold", reason = value .. " <= " .. ctx.params.most }
end
return mine]] },
}

local function given(kind, from, to, uses)
  local one = KINDS[kind]
  local at, stop = one.source:find(from, 1, true)
  local source = at and one.source:sub(1, at - 1) .. to .. one.source:sub(stop + 1) or one.source
  local text = uses and one.uses:gsub("most: 5", uses) or one.uses
  assert(at or uses, from)
  return { files = { [one.path] = source }, analysis = STEP .. text }
end

--- Everything that a release with this says: its condition and its events.
local function said(change)
  local run = library.applied(change)
  local function texts()
    local out = run:messages("demo")
    local condition = run:condition("demo", "app", "Stalled")
    out[#out + 1] = condition and condition.status == "True" and condition.message or nil
    return table.concat(out, "\n")
  end
  run:pass(30)
  run.world:set_image("demo", "app", "podinfo:2")
  run:pass(40)
  assert.is_true((run:status("demo", "app").canaryWeight or 0) <= 25)
  return texts()
end

--- What `serin check` finds in the manifest and the script: file, line and message of each.
local function checked(change)
  local dir = library.folder()
  local paths = { verb.file(MANIFEST:format(change.analysis)), "--scripts", dir }
  for path, text in pairs(change.files) do
    library.write(dir, path, text)
    paths[#paths + 1] = dir .. "/" .. path
  end
  local _, out = verb.call("check", "--output", "json", table.unpack(paths))
  local found = {}
  for _, item in ipairs(json.decode(out).findings) do
    local file = item.file:match("[^/]+/mine%.lua$") or "canary.yaml"
    found[#found + 1] = ("%s:%s: %s%s"):format(file, item.line, item.field ~= "" and item.field .. ": " or "",
      item.message)
  end
  return table.concat(found, "\n")
end

local function has(text, pattern)
  assert.truthy(text:find(pattern, 1, true), ("expected %s\nfound %s"):format(pattern, text))
end

describe("a fault in a script is told beside the release and by serin check:", function()
  setup(function() T.log_to("/dev/null") end)
  before_each(function() script.setup({}) end)

  after_each(function()
    library.clean()
    verb.clean()
  end)

  teardown(function()
    script.setup({})
    T.log_to()
  end)

  it("a misspelt function", function()
    local check = given("check", "prom.query", "prom.qurey")
    has(said(check), "checks/mine.lua:6: prom.qurey: expected one of query, vector (did you mean query?)")
    has(checked(check), "checks/mine.lua:6: prom.qurey: expected one of query, vector (did you mean query?)")
    local policy = given("policy", "clock.now", "clock.nwo")
    has(said(policy), "policies/mine.lua:6: clock.nwo: expected one of at, now (did you mean now?)")
    has(checked(policy), "policies/mine.lua:6: clock.nwo: expected one of at, now (did you mean now?)")
  end)

  for kind, one in pairs(KINDS) do
    local entry = kind == "check" and "run" or "decide"

    it("a wrong type in the params of a manifest: " .. kind, function()
      local change = given(kind, "\0", "", "most: many")
      local message = one.params .. '.most: expected a number, found "many"'
      has(said(change), message)
      has(checked(change), "canary.yaml:8: " .. message)
    end)

    it("a parameter that the script does not have: " .. kind, function()
      local change = given(kind, "\0", "", "mots: 5")
      local message = one.params .. ".mots: expected a known parameter (did you mean most?)"
      has(said(change), message)
      has(checked(change), "canary.yaml:8: " .. message)
    end)

    it("a misspelt type in the params of the header: " .. kind, function()
      local change = given(kind, '"number"', '"nubmer"')
      local message = "params.most.type: expected one of number, integer, string, boolean, duration, list, object, "
        .. 'found "nubmer" (did you mean number?)'
      has(said(change), one.path .. ":3: " .. message)
      has(checked(change), one.path .. ":3: " .. message)
    end)

    it("a missing entry point: " .. kind, function()
      local change = given(kind, "mine." .. entry, "mine.other")
      local message = one.path .. ":12: " .. entry .. ": expected a function, found none"
      has(said(change), message)
      has(checked(change), message)
    end)

    it("an error in a nested function: " .. kind, function()
      local change = given(kind, "  return " .. (kind == "check" and "prom" or "clock"),
        "  local none\n  return none.field, " .. (kind == "check" and "prom" or "clock"))
      has(said(change), one.path .. ":7: attempt to index a nil value (local 'none')")
    end)
  end
end)
