--- A router for a proxy without resources of its own: it reads its weights from a ConfigMap, <name>-weights, that it has
-- mounted. Nothing has to be installed in the cluster.
--
--   spec: {provider: weightfile}
--
-- The file in it, weights.json: {"primary":90,"canary":10,"hosts":["app-primary","app-canary"]}.

local object = require("util.object")

local FILE = "weights.json"

local function file_of(canary, weight)
  return json.encode({ primary = 100 - weight, canary = weight,
    hosts = json.array({ canary.names.primary, canary.names.canary }) })
end

--- The canary's weight in the file; nil and a message when it is none.
local function weight_in(seen)
  local text = (seen.file.data or {})[FILE]
  local found = text and json.decode(text)
  local weight = type(found) == "table" and math.tointeger(found.canary)
  if not weight then return nil, FILE .. ": expected a file with the weight of canary, found none" end
  return weight
end

local function with(canary, seen, weight)
  return object.patches("file", seen.file, { data = { [FILE] = file_of(canary, weight) } })
end

local router = {
  name = "weightfile", api = 1,
  weighted = true, mirrors = false, matches = false, affinity = false,
  grants = { "kube:v1/ConfigMap" },
}

function router.reads(canary)
  return { file = { apiVersion = "v1", kind = "ConfigMap", name = canary.names.apex .. "-weights", optional = true } }
end

function router.prepare(canary, seen)
  if seen.file then return with(canary, seen, weight_in(seen) or 0) end
  return { object.create("file", { apiVersion = "v1", kind = "ConfigMap",
    metadata = { name = canary.names.apex .. "-weights" }, data = { [FILE] = file_of(canary, 0) } }) }
end

function router.routes(_, seen)
  if not seen.file then return nil, "the ConfigMap is not there yet" end
  local weight, message = weight_in(seen)
  if not weight then return nil, message end
  return { primary = 100 - weight, canary = weight }
end

function router.shift(canary, seen, routes) return with(canary, seen, routes.canary) end

function router.restore(canary, seen)
  if not seen.file then return {} end
  return with(canary, seen, 0)
end

function router.selftest()
  local canary = { names = { apex = "a", primary = "p", canary = "c" } }
  local seen = object.apply({}, router.prepare(canary, {}))
  seen = object.apply(seen, router.shift(canary, seen, { primary = 70, canary = 30 }))
  assert(router.routes(canary, seen).canary == 30)
  assert(#router.prepare(canary, seen) == 0)
end

return router
