--- What surrounds a router in a spec: the view of a Canary, and an API server that takes patches.

local json = require("json")
local list = require("util.list")
local merge = require("util.merge")
local object = require("util.object")
local scope = require("kube.scope")
local view = require("canary.view")

local routing = {}

--- The view of a Canary `app` in `demo`.
--- @param parts table  provider, annotations, service, analysis, status, spec (further fields), settings; the rest is
---   filled in
function routing.canary(parts)
  local canary = {
    apiVersion = "flagger.app/v1beta1",
    kind = "Canary",
    metadata = { name = "app", namespace = "demo", uid = "u-1", annotations = parts.annotations },
    spec = {
      provider = parts.provider,
      targetRef = { apiVersion = "apps/v1", kind = "Deployment", name = "app" },
      service = object.merged({ port = 80 }, parts.service or {}),
      analysis = object.merged({ interval = "30s", threshold = 5, stepWeight = 10 }, parts.analysis or {}),
    },
    status = parts.status,
  }
  canary.spec = object.merged(canary.spec, parts.spec or {})
  local out, problem = view.of(canary, parts.settings or {})
  assert(out, problem and problem.message)
  return view.with_target(out, "app", "app")
end

local function drop_empty(metadata)
  for _, part in ipairs({ "labels", "annotations" }) do
    if metadata[part] and next(metadata[part]) == nil then metadata[part] = nil end
  end
end

--- What the cluster holds after the patches: created objects get an owner and a namespace as the engine gives
--- them, those of the whole cluster neither, empty maps of the metadata go, and `admit(key, body)` fills in defaults.
function routing.apply(seen, patches, admit)
  local out = object.apply(seen, patches)
  for _, patch in ipairs(list.filter(patches, function(patch) return not patch.delete end)) do
    local body = merge.copy(out[patch.key])
    if patch.create and not scope.is_cluster(body.apiVersion, body.kind) then
      body.metadata.namespace = "demo"
      body.metadata.ownerReferences = json.array({
        { apiVersion = "flagger.app/v1beta1", kind = "Canary", name = "app", uid = "u-1" },
      })
    end
    drop_empty(body.metadata)
    if admit then admit(patch.key, body) end
    out[patch.key] = body
  end
  return out
end

--- What further looks make of the world, for a router that counts pods: it takes no more than three.
function routing.settled(router, canary, seen, admit)
  for _ = 1, 3 do
    local patches = assert(router.prepare(canary, seen))
    if #patches == 0 then return seen end
    seen = routing.apply(seen, patches, admit)
  end
  return seen
end

--- The weights that were asked for, without what became of them.
function routing.asked(routes)
  return { primary = routes.primary, canary = routes.canary, mirrored = routes.mirrored }
end

--- A small generator with a fixed seed, the same on every machine.
function routing.random(seed)
  local state = seed
  local random = {}
  function random.upto(n)
    state = (state * 6364136223846793005 + 1442695040888963407) & 0x7fffffffffffffff
    return (state >> 33) % n + 1
  end
  function random.weight() return random.upto(101) - 1 end
  function random.maybe(value) if random.upto(2) == 1 then return value end end
  function random.one_of(values) return values[random.upto(#values)] end
  return random
end

return routing
