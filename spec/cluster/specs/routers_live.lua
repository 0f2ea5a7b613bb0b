--- Every router against the real API server: each object of its fixtures is accepted under the definitions that the
--- router's own project publishes (spec/cluster/crds.txt), unknown fields being refused; it is read back, and neither
--- `prepare` nor `shift` then finds anything to change.
--
-- nginx, skipper and alb write Ingresses and kubernetes nothing at all: the API server itself knows those. Two groups
-- have versions that exclude each other in a cluster, so their definitions are changed as the cases need them:
--   App Mesh v1beta1   the original has schemas that no API server takes today; spec/cluster/crds.lua adds the types
--                      that they leave out
--   TrafficSplit       v1alpha1 comes from the module that served it; v1alpha2 and v1alpha3 from one that has the
--                      schemas of both but serves the latter only, so v1alpha2 is switched on
-- A router that counts pods is left out: what it writes depends on the Deployments' controller, look by look.
-- Gloo publishes definitions without schemas: to them any object is right, and only what is read back counts.

local api = require("spec.cluster.api")
local crds = require("spec.cluster.crds")
local json = require("json")
local lfs = require("lfs")
local list = require("util.list")
local merge = require("util.merge")
local object = require("util.object")
local scope = require("kube.scope")
local support = require("spec.cluster.support")

local NAMESPACE = "demo" -- the fixtures'

local SPLIT = { "trafficsplits.split.smi-spec.io" }
local SETS = {
  ["split.smi-spec.io/v1alpha1"] = { "smi1-ALT", SPLIT },
  ["split.smi-spec.io/v1alpha2"] = { "smi", SPLIT },
  ["split.smi-spec.io/v1alpha3"] = { "smi", SPLIT },
  ["appmesh.k8s.aws/v1beta1"] = { "appmesh1-ALT",
    { "virtualnodes.appmesh.k8s.aws", "virtualservices.appmesh.k8s.aws" } },
  ["appmesh.k8s.aws/v1beta2"] = { "appmesh",
    { "virtualnodes.appmesh.k8s.aws", "virtualservices.appmesh.k8s.aws", "virtualrouters.appmesh.k8s.aws" } },
}

local OWNER = [[
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: app, namespace: demo}
spec:
  suspend: true
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: app}
  service: {port: 80}
  analysis: {interval: 30s, threshold: 5, stepWeight: 10}
]]

local function each_router(f)
  local files = {}
  for file in lfs.dir("routers") do files[#files + 1] = file:match("^([%w_]+)%.lua$") end
  table.sort(files)
  for _, file in ipairs(files) do
    local router = require("routers." .. file)
    if router.name and not router.counts_pods then
      f(file, router, dofile("spec/fixtures/routers/" .. file .. ".lua"))
    end
  end
end

--- The value with lists that have no holes: a fixture takes an entry out by nil.
local function whole(value)
  if type(value) ~= "table" then return value end
  local out = json.is_array(value) and json.array() or {}
  for _, key in ipairs(list.keys(value)) do
    out[json.is_array(value) and #out + 1 or key] = whole(value[key])
  end
  return out
end

local function split(weight, mirrored)
  return { primary = 100 - weight, canary = weight, mirrored = mirrored or false }
end

describe("on the real API server", function()
  local server, owner
  local defined = {} -- name of a definition → the set it is from

  local function define(version)
    local set, names = table.unpack(SETS[version] or { nil, {} })
    for _, name in ipairs(names) do
      if defined[name] ~= set then server:define(crds.of(set, name)) end
      defined[name] = set
    end
  end

  --- A router, a canary, and the objects that it has in the cluster.
  local function stage(router, case)
    local self = { canary = case.canary(), world = {} }
    local refs = router.reads(self.canary)
    for _, ref in pairs(refs) do define(ref.apiVersion) end
    self.step = #self.canary.analysis.match > 0 and router.match_resolution or router.resolution

    --- All objects, without what proxies say of an HTTPRoute: the fixtures' Gateways are not here.
    function self.read()
      for key, ref in pairs(refs) do
        local body = server:get(ref)
        if body and body.status then body.status.parents = nil end
        self.world[key] = body
      end
    end

    function self.apply(patches)
      for _, patch in ipairs(patches) do
        local ref = refs[patch.key]
        if patch.delete then
          server:delete(ref)
        elseif patch.create then
          local body = object.copy(patch.create)
          if not scope.is_cluster(body.apiVersion, body.kind) then
            body.metadata.namespace = NAMESPACE
            body.metadata.ownerReferences = json.array({ owner })
          end
          assert(server:create(body))
        else
          assert(server:patch(ref, patch.merge))
        end
      end
      self.read()
    end

    --- As a user edits: what the schema does not know is dropped.
    function self.change(f)
      local changed = object.copy(self.world)
      f(changed)
      for key, body in pairs(changed) do
        local difference = merge.diff(self.world[key], whole(body))
        if difference then assert(server:patch(refs[key], difference, true)) end
      end
      self.read()
    end

    function self.prepare() return assert(router.prepare(self.canary, self.world)) end
    function self.shift(routes) return assert(router.shift(self.canary, self.world, routes)) end
    function self.routes() return assert(router.routes(self.canary, self.world)) end
    function self.restore() return assert(router.restore(self.canary, self.world)) end
    function self.at(weight) return split(math.ceil(weight / self.step) * self.step) end

    function self.clear()
      for _, ref in pairs(refs) do server:delete(ref) end
    end

    self.clear()
    for _, body in pairs(case.seen and case.seen() or {}) do
      local made = object.copy(body)
      -- What an owner left that never was, the garbage collector takes.
      if made.metadata.ownerReferences then made.metadata.ownerReferences = json.array({ owner }) end
      assert(server:create(made, true))
      if body.status then assert(server:tell(body)) end
    end
    self.read()
    return self
  end

  setup(function()
    support.install()
    server = api.open()
    support.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found") -- of a run before this one
    support.kubectl("create", "namespace", NAMESPACE)
    support.apply(OWNER)
    local canary = support.get("canary", NAMESPACE, "app")
    owner = { apiVersion = canary.apiVersion, kind = "Canary", name = "app", uid = canary.metadata.uid,
      controller = true, blockOwnerDeletion = true }
  end)

  teardown(function()
    support.run("kubectl", "delete", "namespace", NAMESPACE, "--wait=false")
    for _, version in ipairs({ "split.smi-spec.io/v1alpha3", "appmesh.k8s.aws/v1beta2" }) do
      if defined[SETS[version][2][1]] then define(version) end
    end
  end)

  --- Neither call finds a difference, and the routes are these.
  local function settled(on, routes)
    assert.same({}, on.prepare())
    assert.same({}, on.shift(routes))
    assert.same(routes, on.routes())
  end

  local function moved(on, routes)
    on.apply(on.shift(routes))
    settled(on, routes)
  end

  local function describe_case(router, case)
    local on, before

    setup(function()
      on = stage(router, case)
      before = object.copy(on.world)
    end)
    teardown(function() if on then on.clear() end end)

    it("what prepare makes is accepted, and is all that it asks for", function()
      on.apply(on.prepare())
      assert.same({}, on.prepare())
      assert.same(split(0), on.routes())
    end)

    if router.weighted then
      it("every weight is accepted, and is read back", function()
        for _, weight in ipairs({ 20, 50, 100, 0 }) do moved(on, on.at(weight)) end
      end)
    end

    if router.mirrors and case.mirrors ~= false then
      it("a mirror is accepted, and is read back", function()
        moved(on, split(0, true))
        moved(on, split(0))
      end)
    end

    if case.user then
      it("the user's fields are no difference", function()
        on.apply(on.shift(on.at(50)))
        on.change(case.user)
        settled(on, on.at(50))
      end)
    end

    if case.drift then
      it("what repairs drift is accepted, and leaves the weights", function()
        on.apply(on.shift(on.at(35)))
        on.change(case.drift)
        assert.is_true(#on.prepare() > 0)
        on.apply(on.prepare())
        settled(on, on.at(35))
      end)
    end

    it("what gives the user's objects back is accepted", function()
      on.apply(on.restore())
      assert.same({}, on.restore())
      if case.user or case.drift then return end -- those were the user's as well
      for key, body in pairs(before) do
        assert.same({ body.spec, body.metadata.labels, body.metadata.annotations },
          { on.world[key].spec, on.world[key].metadata.labels, on.world[key].metadata.annotations }, key)
      end
    end)
  end

  each_router(function(file, router, fixture)
    for _, case in ipairs(fixture.cases) do
      describe(("%s %s:"):format(file, case.title), function() describe_case(router, case) end)
    end
  end)

  it("no router was left out", function()
    local titles = {}
    each_router(function(file, _, fixture) if #fixture.cases >= 3 then titles[#titles + 1] = file end end)
    assert.is_true(list.contains(titles, "istio") and #titles >= 14, table.concat(titles, " "))
  end)
end)
