--- What specs of custom scripts use under `serin test`: docs/test.md.
--
--   local kit = require("kit")
--   local t = kit.new()
--   t:prom({ errors_total = 0.2 })
--   assert.equal("pass", t:check("burn", { most = 1 }).verdict)

local answers = require("scripts.router")
local fakes = require("kit.fakes")
local golden = require("kit.golden")
local merge = require("util.merge")
local scripts = require("kit.scripts")
local view = require("canary.view")
local yaml = require("yaml")
local yaml_text = require("offline.yaml_text")

local kit = { dir = ".", write_golden = false }

local kit_methods = setmetatable({}, { __index = fakes.mt.__index })
local kit_mt = { __index = kit_methods }

--- A world for one spec: see lua/kit/fakes.lua for prom, http, kube, secret, at, pass, asked, logs.
function kit.new()
  local self = setmetatable(fakes.new(), kit_mt)
  self.files = assert(scripts.look(require("script").list, kit.dir))
  return self
end

--- Raises the message alone, in which the script and its line stand, not the place in the kit.
local function right(value, message)
  if value == nil then error(message or "expected an answer, found nil", 0) end
  return value
end

local function loaded(self, kind, name)
  return right(scripts.load(self.host, self.files, kind, name))
end

--- The verdict of a check: { verdict =, value =, rule =, message =, ... }. What the script raises is raised, and what
--- the engine would not take as a verdict.
--- @param given table?  parameters as a user writes them
--- @param more table?   fields of the context that are others than usual, as { canary = { weight = 20 } }
function kit_methods:check(name, given, more)
  local script = loaded(self, "check", name)
  local context = scripts.check_context(self.now, right(scripts.params(script, given)), more)
  return right(scripts.verdict(script, right(scripts.call(self.host, script, "run", { context }))))
end

--- The decision of a policy, as the engine would take it; nil and why it would not.
--- @param stated table?  { params =, weight =, passed =, failed_checks =, state =, samples =, checks =, analysis = }
function kit_methods:decide(name, stated)
  local script = loaded(self, "policy", name)
  local more = merge.copy(stated or {})
  local given = right(scripts.params(script, more.params))
  more.params = nil
  local wrong = scripts.policy_problem(self.host, script, given)
  if wrong then return nil, wrong end
  local context = scripts.policy_context(self.now, given, more)
  local answer, message = scripts.call(self.host, script, "decide", { context })
  if answer == nil then return nil, message end
  return scripts.decision(answer, context)
end

--- Lets a policy decide interval by interval until it promotes or rolls back; shifts are obeyed, its state is kept.
--- Returns the last action, the number of intervals, and the decisions.
--- @param stated table        as of decide
--- @param most number         intervals
--- @param each function(t, now)?  called before each interval: moves the world, may return fields for decide
function kit_methods:play(name, stated, most, each)
  local now, decisions = merge.copy(stated or {}), {}
  local interval = (now.analysis or {}).interval or 60
  for index = 1, most do
    for key, value in pairs(each and each(self, now, index) or {}) do now[key] = value end
    local answer, message = self:decide(name, now)
    if not answer then error(("interval %d: %s"):format(index, message), 2) end
    decisions[index] = answer
    if answer.action == "promote" or answer.action == "rollback" then return answer.action, index, decisions end
    if answer.action == "shift" then
      now.weight, now.since = answer.routes and answer.routes.canary or answer.weight, self.now
    end
    now.state = answer.state
    self:pass(interval)
  end
  return decisions[#decisions].action, most, decisions
end

local EVENT = { canary = "app.test", message = "a message", severity = "info", channel = "general",
  username = "flagger" }

--- What an alert's script sends.
--- @param stated table?  fields of the event that are others than usual
function kit_methods:render(name, given, stated)
  local script = loaded(self, "notify", name)
  local event = merge.copy(EVENT)
  event.fields, event.now = {}, self.now
  for key, value in pairs(stated or {}) do event[key] = value end
  event.params = right(scripts.params(script, given))
  return right(scripts.call(self.host, script, "render", { event }))
end

local function patched(self, script, entry, canary, seen, refs, want)
  local value = right(scripts.call(self.host, script, entry, { canary, seen, want }))
  return right(answers.patches(entry, value, refs, seen, canary))
end

--- What the optional function `accepted` says of the objects, as a line of the text.
local function accepted(self, script, canary, seen)
  if not script.functions.accepted then return "" end
  local value, message = scripts.call(self.host, script, "accepted", { canary, seen })
  if value == nil then error(message, 0) end
  local ok
  ok, message = answers.accepted(value, message)
  return ok and "# accepted\n" or ("# not accepted: %s\n"):format(message)
end

local function check_fit(self, script, canary)
  if not script.functions.unfit then return end
  local why, message = scripts.call(self.host, script, "unfit", { canary })
  if why or message then error(message or select(2, answers.unfit(why)), 0) end
end

--- A router walked through weights, as YAML text for a golden file: what it reads, what `prepare` writes, each shift,
--- and `restore`. Every weight is read back; a Canary that is `unfit` is an error.
--- @param canary string   YAML of a Canary
--- @param weights table   of the canary, in percent
--- @param seen table?     key of `reads` -> object that is there at first
function kit_methods:walk(name, canary, weights, seen)
  local script = loaded(self, "router", name)
  local object = assert(yaml.decode(canary))[1]
  local shown, bad = view.of(object, { mesh_provider = name })
  if not shown then error(bad.message, 0) end
  shown.settings = {}
  seen = merge.copy(seen or {})
  local refs = right(answers.reads(right(scripts.call(self.host, script, "reads", { shown })), shown,
    script.grants))
  check_fit(self, script, shown)
  local out = {}
  local function write(title, list)
    out[#out + 1] = "---\n# " .. title .. "\n"
    for _, patch in ipairs(list) do out[#out + 1] = yaml_text.of({ patch }) end
    seen = answers.after(seen, list)
  end
  write("prepare", patched(self, script, "prepare", shown, seen, refs))
  out[#out + 1] = accepted(self, script, shown, seen)
  for _, weight in ipairs(weights) do
    local want = { primary = 100 - weight, canary = weight, mirrored = false }
    write(("weight %d"):format(weight), patched(self, script, "shift", shown, seen, refs, want))
    out[#out + 1] = accepted(self, script, shown, seen)
    local found = right(answers.routes(right(scripts.call(self.host, script, "routes", { shown, seen }))))
    if found.canary ~= weight then
      error(("routes: expected %d %% for the canary after its shift, found %d %%"):format(weight, found.canary), 2)
    end
    local again = patched(self, script, "shift", shown, seen, refs, want)
    if #again > 0 then error(("shift to %d %%: expected no patch when nothing changes"):format(weight), 2) end
  end
  write("restore", patched(self, script, "restore", shown, seen, refs))
  return table.concat(out)
end

--- Holds a text against a file in the folder under test; raises what differs.
function kit.golden(path, text)
  local ok, message = golden.compare(kit.dir .. "/" .. path, text, kit.write_golden)
  if not ok then error(message, 2) end
  return true
end

return kit
