--- A tape judged again: every verdict and every decision made anew from what was answered then, and held against what
--- was made of it, byte for byte.

local check = require("metrics.check")
local digest = require("digest")
local finite = require("util.finite")
local json = require("json")
local policies = require("canary.policies")
local view = require("canary.view")

local tape_replay = {}

local STAND_IN = "-----BEGIN replay" -- in place of each value of a Secret

--- Secrets whose values are not on the tape.
local function secrets_of(names)
  local out = {}
  for key, list in pairs(names) do
    local data = {}
    for _, name in ipairs(list) do data[name] = digest.base64(STAND_IN) end
    out[key] = data
  end
  return out
end

local function subject_of(record)
  local namespace, name = record.canary:match("^(.-)/(.*)$")
  local object = { metadata = { namespace = namespace, name = name }, spec = record.spec }
  local canary, bad = view.of(object, record.settings)
  if not canary then return nil, bad.message end
  canary.names, canary.revision_name = record.names, record.revision_name
  return { canary = canary, settings = record.settings, templates = record.templates,
    secrets = secrets_of(record.secrets) }
end

--- The text that two values have alike when they are the same.
local function text_of(value) return json.encode(finite.pack(value)) end

local function item_of(subject, record)
  for _, item in ipairs(check.plan(subject.canary, subject.settings, subject.templates, record.at, subject.secrets)) do
    if item.index == record.index and item.kind == record.kind then return item end
  end
end

--- The verdict made anew; or nil and why it cannot be.
local function verdict_of(subject, record)
  if not subject then return nil, "its Canary is not on the tape" end
  if record.kind == "script" then return nil, "a script judged it" end
  local item = item_of(subject, record)
  if not item then return nil, "the Canary has no such check" end
  if not item.request then
    if #record.answers > 0 then return nil, "what it asked depends on a Secret" end
    return item.judge()
  end
  local verdict, more
  for _, one in ipairs(record.answers) do
    local answer = one.answer
    if type(answer) == "table" and answer.status then answer.headers = {} end
    verdict, more = item.judge(answer, one.message, one.code)
  end
  if more or verdict == nil then return nil, "answers are missing" end
  return verdict
end

--- The decision made anew, with its message; or nil, nil and why it cannot be.
local function decision_of(record)
  if record.custom then return nil, nil, "a script made it" end
  local namespace, name = record.canary:match("^(.-)/(.*)$")
  local canary = { namespace = namespace, name = name, strategy = record.strategy, analysis = record.analysis,
    provider = record.provider, target = { name = record.target } }
  return policies.decide({ canary = canary, revision = record.revision }, { policy = record.policy, now = record.now,
    checks = record.checks, samples = record.samples, state = record.state })
end

local function note(out, record, kind, words, was, now)
  out.lines[#out.lines + 1] = { at = record.at, canary = record.canary, kind = kind, text = words, was = was,
    now = was ~= now and now or nil }
  out[kind .. "s"] = out[kind .. "s"] + 1
  if was ~= now then out.different = out.different + 1 end
end

local function skip(out, record, kind, why)
  out.lines[#out.lines + 1] = { at = record.at, canary = record.canary, kind = kind, skipped = why }
  out.skipped = out.skipped + 1
end

local takes = {}

function takes.subject(out, record)
  local message
  out.subjects[record.canary], message = subject_of(record)
  if message then skip(out, record, "subject", message) end
end

function takes.check(out, record)
  local verdict, why = verdict_of(out.subjects[record.canary], record)
  if not verdict then return skip(out, record, "verdict", ("%s: %s"):format(tostring(record.name), why)) end
  local rule = verdict.rule and (" (%s)"):format(verdict.rule) or ""
  local value = verdict.value ~= nil and (" %.14g"):format(verdict.value) or ""
  note(out, record, "verdict", ("%s %s%s%s"):format(verdict.name, verdict.verdict, value, rule),
    text_of(record.verdict), text_of(verdict))
end

function takes.decision(out, record)
  local answer, message, why = decision_of(record)
  if why then return skip(out, record, "decision", ("policy %s: %s"):format(record.policy.name, why)) end
  local words = answer and ("%s: %s (%s)"):format(record.policy.name, answer.action, answer.reason or "no reason")
    or message
  note(out, record, "decision", words, text_of({ record.answer or false, record.message or false }),
    text_of({ answer or false, message or false }))
end

function takes.hook(out, record)
  local said = record.ok and "yes" or "no: " .. tostring(record.message)
  out.lines[#out.lines + 1] = { at = record.at, canary = record.canary, kind = "hook",
    text = ("hook %s said %s"):format(tostring(record.name), said) }
  out.hooks = out.hooks + 1
end

function takes.full(out) out.full = true end

--- { lines, verdicts, decisions, hooks, skipped, different, full }; or nil and a message.
--- @param lines function  an iterator over the tape's lines
function tape_replay.run(lines)
  local out = { lines = {}, subjects = {}, verdicts = 0, decisions = 0, hooks = 0, skipped = 0, different = 0 }
  local number = 0
  for line in lines do
    number = number + 1
    local record, message = json.decode(line)
    if type(record) ~= "table" or not takes[record.type] then
      return nil, ("line %d: expected a record of a tape, found %s"):format(number, message or "something else")
    end
    takes[record.type](out, finite.unpack(record))
  end
  return out
end

return tape_replay
