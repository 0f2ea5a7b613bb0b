--- What a route's controller reports of the newest generation. A controller that reports nothing is not waited for.

local list = require("util.list")
local object = require("util.object")
local shape = require("routing.shape")

local acceptance = {}

--- The condition of `kind` in a list that anyone may have written, or nil.
function acceptance.condition(items, kind)
  if type(items) ~= "table" then return nil end
  return list.find(items, function(item) return type(item) == "table" and item.type == kind end)
end

local function number(value)
  return math.tointeger(tonumber(value)) or 0
end

--- True when `condition` is about an older generation than that of `live`. One that names no generation tells nothing
--- of its age: Linkerd names none (linkerd2 #14964), and a route would be waited for in vain.
function acceptance.is_old(live, condition)
  local observed = number(condition.observedGeneration)
  return observed > 0 and observed < number(live.metadata.generation)
end

local function report(live, who, condition)
  return ("%s%s is not ready (%s: %s, observed generation: %d, current generation: %d)"):format(shape.title(live), who,
    condition.type == "Accepted" and "status" or condition.type, tostring(condition.status),
    number(condition.observedGeneration), number(live.metadata.generation))
end

--- Why the newest generation is not in force, by the first of `kinds` that is there and not true of it; or nil.
--- @param who string  who reports, between the object's name and the verb; "" for the object itself
function acceptance.unmet(live, who, items, kinds)
  for _, kind in ipairs(kinds) do
    local condition = acceptance.condition(items, kind)
    if condition and (condition.status ~= "True" or acceptance.is_old(live, condition)) then
      return report(live, who, condition)
    end
  end
end

-- Said of a parent. That references are resolved counts as soon as it is denied: such requests are answered with 500.
local PARENT = { "Accepted", "Programmed" }

--- A reference to a parent with the defaults of the API server. `core` is another name of the group without one.
local function parent(live, ref)
  local out = object.merged({ group = "gateway.networking.k8s.io", kind = "Gateway",
    namespace = live.metadata.namespace }, ref)
  if out.group == "core" then out.group = "" end
  return out
end

local function of_parent(live, ref, items)
  local who = " parent " .. tostring(ref.name)
  local why = acceptance.unmet(live, who, items, PARENT)
  if why then return why end
  local resolved = acceptance.condition(items, "ResolvedRefs")
  if resolved and resolved.status == "False" and not acceptance.is_old(live, resolved) then
    return report(live, who, resolved)
  end
end

--- Why the parents of a route of Gateway API do not yet obey its newest generation, or nil.
function acceptance.of_parents(live)
  local reports = object.at(live, "status", "parents")
  if type(reports) ~= "table" then return nil end
  for _, ref in ipairs(object.at(live, "spec", "parentRefs") or {}) do
    for _, status in ipairs(reports) do
      local given = object.at(status, "parentRef")
      local same = type(given) == "table" and object.equal(parent(live, given), parent(live, ref))
      local why = same and of_parent(live, ref, status.conditions)
      if why then return why end
    end
  end
end

--- true, or false and a message.
function acceptance.verdict(why)
  if why then return false, why end
  return true
end

return acceptance
