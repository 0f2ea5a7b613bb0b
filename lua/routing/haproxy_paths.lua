--- The paths of the user's Ingress that lead to the apex, as HAProxy's controller sends a share of them elsewhere: by
-- `use_backend <canary> if { var(txn.host) -m str <host> } { path -m beg <path> } { <condition> }`, before all other
-- rules. So a share of a path takes from every path that begins with it, and a request that two such rules fit is drawn
-- twice.

local json = require("json")
local list = require("util.list")
local object = require("util.object")
local shape = require("routing.shape")

local paths = {}

local DEFAULT = "spec.defaultBackend leads to %s: expected paths that do, since HAProxy's controller gives a share " ..
  "of nothing else"
local HOST = "spec.rules[%d].host: expected one that is written out, since a share is taken from all hosts that " ..
  "fit, found %s"
local TAKEN = "spec.rules[%d].http.paths[%d].path: expected none below %s of %s, whose share HAProxy's controller " ..
  "takes from all that begins with it, found %s"

local function said(main, message, ...) return ("%s: %s"):format(shape.title(main), message:format(...)) end

local function begins(text, prefix) return text:sub(1, #prefix) == prefix end

--- True when a rule for `one` fits what is asked of `other`.
local function covers(one, other)
  if one.host ~= other.host then return false end
  if one.exact then return other.exact and one.path == other.path end
  return begins(other.path, one.path)
end

--- Every path, in order: { host =, path =, exact = bool, leads = bool, item =, at = { rule, path } }.
local function all_of(canary, main)
  local out = {}
  for rule_at, rule in ipairs(object.at(main, "spec", "rules") or {}) do
    for path_at, item in ipairs(object.at(rule, "http", "paths") or {}) do
      out[#out + 1] = { host = rule.host, path = item.path or "", exact = item.pathType == "Exact", item = item,
        leads = object.at(item, "backend", "service", "name") == canary.names.apex, at = { rule_at - 1, path_at - 1 } }
    end
  end
  return out
end

--- What of the Ingress no share can be taken of, or nil.
local function impossible(canary, main, all, ours)
  if object.at(main, "spec", "defaultBackend", "service", "name") == canary.names.apex then
    return said(main, DEFAULT, canary.names.apex)
  end
  for _, one in ipairs(ours) do
    if (one.host or "") == "" or one.host:find("*", 1, true) then
      return said(main, HOST, one.at[1], one.host or "none")
    end
    local taken = list.find(all, function(other) return not other.leads and covers(one, other) end)
    if taken then
      return said(main, TAKEN, taken.at[1], taken.at[2], one.path == "" and "/" or one.path, canary.names.apex,
        taken.path)
    end
  end
end

--- Those that no other one covers; of equal ones the first.
local function outermost(ours)
  local out = {}
  for at, one in ipairs(ours) do
    local within = false
    for other_at, other in ipairs(ours) do
      within = within or other_at ~= at and covers(other, one) and (other_at < at or not covers(one, other))
    end
    if not within then out[#out + 1] = one end
  end
  return out
end

local function to_canary(canary, one)
  local item = object.copy(one.item)
  item.backend.service.name = canary.names.canary
  return item
end

--- The spec of the second Ingress: those paths alone, leading to the canary; or nil and a message.
function paths.spec(canary, main)
  local all = all_of(canary, main)
  local ours = list.filter(all, function(one) return one.leads end)
  local err = impossible(canary, main, all, ours)
  if err then return nil, err end
  if #ours == 0 then
    return nil, ("backend %s not found in ingress %s"):format(canary.names.apex, canary.ingress.name)
  end
  local spec, by_host = object.copy(main.spec), {}
  spec.defaultBackend, spec.rules = nil, json.array()
  for _, one in ipairs(outermost(ours)) do
    local rule = by_host[one.host]
    if not rule then
      rule = { host = one.host, http = { paths = json.array() } }
      by_host[one.host], spec.rules[#spec.rules + 1] = rule, rule
    end
    rule.http.paths[#rule.http.paths + 1] = to_canary(canary, one)
  end
  return spec
end

return paths
