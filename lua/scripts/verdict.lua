--- What a check may answer.

local nearest = require("util.nearest")
local text = require("util.text")

local verdict = {}

local WORDS = { "pass", "fail", "inconclusive", "nodata", "error" }
local FIELDS = { verdict = true, value = true, rule = true, query = true, n = true, message = true }
local MOST_TEXT = 1024

local function one_of(word)
  for _, known in ipairs(WORDS) do
    if known == word then return nil end
  end
  local close = type(word) == "string" and nearest.of(word, WORDS)
  return ("verdict: expected one of %s, found %s%s"):format(table.concat(WORDS, ", "), tostring(word),
    close and (" (did you mean %s?)"):format(close) or "")
end

local function texts(answer)
  for _, name in ipairs({ "rule", "query", "message" }) do
    local value = answer[name]
    local bad = value ~= nil and text.problem(name, value, MOST_TEXT)
    if bad then return bad end
  end
end

local function evidence(answer)
  local word, value = answer.verdict, answer.value
  if value ~= nil and type(value) ~= "number" and type(value) ~= "string" then
    return ("value: expected a number or a text, found %s"):format(type(value))
  end
  if answer.n ~= nil and (type(answer.n) ~= "number" or answer.n < 0) then
    return ("n: expected a number of 0 or more, found %s"):format(tostring(answer.n))
  end
  if word == "pass" then return nil end
  if answer.rule == nil then return ("rule: expected a text, as %s needs evidence, found nothing"):format(word) end
  if value == nil and (word == "fail" or word == "inconclusive") then
    return ("value: expected a number or a text, as %s needs evidence, found nothing"):format(word)
  end
end

local function unknown(answer)
  for name in pairs(answer) do
    if not FIELDS[name] then
      local close = nearest.of(tostring(name), FIELDS)
      return ("%s: expected a field of a verdict%s"):format(text.cut(tostring(name), 64),
        close and (" (did you mean %s?)"):format(close) or "")
    end
  end
end

--- The answer when it is well-formed; or nil and a message that names the field.
function verdict.check(answer)
  if type(answer) ~= "table" then return nil, ("expected a verdict, found %s"):format(type(answer)) end
  local bad = one_of(answer.verdict) or unknown(answer) or texts(answer) or evidence(answer)
  if bad then return nil, bad end
  return answer
end

return verdict
