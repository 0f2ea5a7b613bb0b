--- The route objects against those that Flagger 1.44 wrote on a real API server, field by field.
--
-- spec/fixtures/recorded/<run>/timeline.jsonl holds every version of every object. Not compared: what the
-- API server or the engine writes (generation, owner, namespace) and the API version, which the server
-- turns into the one that was watched. There is no difference to list: none of these runs met a defect.
-- What the user had before is read from input.yaml.

local json = require("json")
local object = require("util.object")
local registry = require("canary.registry")
local routing = require("spec.support.routing")
local view = require("canary.view")
local yaml = require("yaml")

local RUNS = {
  istio = { "virtualservices.networking.istio.io", "destinationrules.networking.istio.io" },
  ["istio-full"] = { "virtualservices.networking.istio.io", "destinationrules.networking.istio.io" },
  ["istio-ab"] = { "virtualservices.networking.istio.io", "destinationrules.networking.istio.io" },
  gwapi = { "httproutes.gateway.networking.k8s.io" },
  contour = { "httpproxies.projectcontour.io" },
  nginx = { "ingresses.networking.k8s.io" },
  traefik = { "traefikservices.traefik.io" },
  linkerd = { "trafficsplits.split.smi-spec.io" },
  ["k8s-bg"] = {},
}

local function timeline(run)
  local out = {}
  for line in io.lines("spec/fixtures/recorded/" .. run .. "/timeline.jsonl") do
    out[#out + 1] = assert(json.decode(line))
  end
  return out
end

--- { [key] = object } of what the router reads and the user had.
local function given(run, reads)
  local file <close>, out = assert(io.open("spec/fixtures/recorded/" .. run .. "/input.yaml")), {}
  for _, body in ipairs(assert(yaml.decode(file:read("a")))) do
    for key, ref in pairs(reads) do
      if body.kind == ref.kind and body.metadata.name == ref.name then out[key] = body end
    end
  end
  return out
end

local function with(seen, more)
  local out = {}
  for _, map in ipairs({ seen, more }) do
    for key, body in pairs(map) do out[key] = body end
  end
  return out
end

local function first(rows, kind)
  for _, row in ipairs(rows) do
    if row.kind == kind then return row.obj end
  end
end

--- The object without what others write.
local function bare(body)
  local metadata = body.metadata
  return { kind = body.kind, spec = body.spec, metadata = {
    name = metadata.name,
    labels = object.some(metadata.labels),
    annotations = object.some(metadata.annotations),
  } }
end

--- The recorded versions of a run's route objects, as { body, routes }.
local function versions(rows, kinds, router, canary)
  local wanted, out = {}, {}
  for _, kind in ipairs(kinds) do wanted[kind] = true end
  for _, row in ipairs(rows) do
    if wanted[row.kind] then
      local is_route = row.obj.kind ~= "DestinationRule"
      local routes = is_route and assert(router.routes(canary, { route = row.obj })) or nil
      out[#out + 1] = { body = row.obj, routes = routes }
    end
  end
  return out
end

local function named(world, body)
  for _, mine in pairs(world) do
    if mine.kind == body.kind and mine.metadata.name == body.metadata.name then return mine end
  end
end

for run, kinds in pairs(RUNS) do
  describe("recorded run " .. run, function()
    local rows, canary, router, world, users

    before_each(function()
      rows = timeline(run)
      canary = view.with_target(assert(view.of(first(rows, "canaries.flagger.app"), {})), "app", "app")
      router = assert(registry.router(canary))
      users = given(run, router.reads(canary))
      world = routing.apply(users, assert(router.prepare(canary, users)))
    end)

    it("writes the same objects at every recorded weight", function()
      for _, version in ipairs(versions(rows, kinds, router, canary)) do
        if version.routes then world = routing.apply(world, assert(router.shift(canary, world, version.routes))) end
        assert.same(bare(version.body), bare(named(world, version.body)))
      end
    end)

    it("writes no object that was not written", function()
      local count, names = 0, {}
      for _, version in ipairs(versions(rows, kinds, router, canary)) do
        names[version.body.kind .. " " .. version.body.metadata.name] = true
      end
      for _ in pairs(world) do count = count + 1 end
      for _ in pairs(with(names, users)) do count = count - 1 end
      assert.equal(0, count)
    end)

    it("finds nothing to change in what was written", function()
      local seen = with(users, {})
      for _, version in ipairs(versions(rows, kinds, router, canary)) do
        for key, mine in pairs(world) do
          if mine == named(world, version.body) then seen[key] = version.body end
        end
        if version.routes then assert.same({}, (router.shift(canary, seen, version.routes))) end
      end
      assert.same({}, (router.prepare(canary, seen)))
    end)
  end)
end
