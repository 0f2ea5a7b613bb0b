local lfs = require("lfs")
local yaml = require("yaml")

local function documents(name)
  local file <close> = assert(io.open("deploy/" .. name))
  return assert(yaml.decode(file:read("a")))
end

local function document(name, kind)
  for _, object in ipairs(documents(name)) do
    if object.kind == kind then return object end
  end
end

local function container()
  return document("deployment.yaml", "Deployment").spec.template.spec.containers[1]
end

-- Kinds that are not created, or not written at all.
local READ = { "get", "list", "watch" }
local CHANGED = { "get", "list", "patch", "watch" }
local ONLY = { ["flagger.app/canaries"] = CHANGED, ["flagger.app/metrictemplates"] = READ,
  ["flagger.app/alertproviders"] = READ, ["serving.knative.dev/services"] = CHANGED,
  ["serving.knative.dev/revisions"] = READ, ["metrics.keptn.sh/keptnmetrics"] = READ,
  ["metrics.keptn.sh/analyses"] = { "create", "delete", "get", "list", "watch" },
  ["kuma.io/trafficroutes"] = { "create", "delete", "get", "list", "patch", "watch" } }

local function sorted(items)
  local out = { table.unpack(items) }
  table.sort(out)
  return out
end

--- { ["group/resource"] = sorted verbs } of the ClusterRole.
local function granted()
  local out = {}
  for _, rule in ipairs(document("rbac.yaml", "ClusterRole").rules) do
    for _, group in ipairs(rule.apiGroups) do
      for _, resource in ipairs(rule.resources) do
        local key = group .. "/" .. resource
        assert.is_nil(out[key], key .. " is in two rules")
        out[key] = sorted(rule.verbs)
      end
    end
  end
  return out
end

local function group_of(api_version)
  return api_version:match("^(.+)/") or ""
end

describe("deploy/", function()
  it("lists every manifest of the folder in its kustomization", function()
    local listed, there = {}, {}
    for _, name in ipairs(documents("kustomization.yaml")[1].resources) do listed[#listed + 1] = name end
    for name in lfs.dir("deploy") do
      if name:find("%.yaml$") and name ~= "kustomization.yaml" then there[#there + 1] = name end
    end
    table.sort(listed)
    table.sort(there)
    assert.same(there, listed)
  end)

  it("grants what the engine does with the kinds it watches, and no more", function()
    local wanted = { ["flagger.app/canaries/status"] = { "patch" }, ["flagger.app/alertproviders/status"] = { "patch" },
      ["flagger.app/canaries/finalizers"] = { "update" }, ["external.metrics.k8s.io/*"] = { "get", "list" },
      ["/events"] = { "create", "patch" }, ["coordination.k8s.io/leases"] = { "create", "get", "patch" } }
    for _, kind in ipairs(require("kube.kinds")) do
      local resource = group_of(kind.apiVersion) .. "/" .. kind.plural
      wanted[resource] = ONLY[resource] or { "create", "get", "list", "patch", "watch" }
    end
    assert.same(wanted, granted())
  end)

  it("grants nothing outside of the API's objects", function()
    for _, rule in ipairs(document("rbac.yaml", "ClusterRole").rules) do assert.is_nil(rule.nonResourceURLs) end
  end)

  it("asks for nothing but that role", function()
    local kinds = {}
    for index, object in ipairs(documents("rbac.yaml")) do kinds[index] = object.kind end
    assert.same({ "ServiceAccount", "ClusterRole", "ClusterRoleBinding" }, kinds)
  end)

  it("starts the engine with flags it knows, all of which have an effect", function()
    local warnings = {}
    local settings, message = require("cli.flags").settings(container().args,
      function(text) warnings[#warnings + 1] = text end, function() end)
    assert.same({ nil, {} }, { message, warnings })
    assert.equal("kubernetes", settings.mesh_provider)
  end)

  it("starts the engine by arguments that begin with a flag", function()
    assert.is_nil(container().command)
    assert.equal("-", container().args[1]:sub(1, 1))
  end)

  it("probes and scrapes the port that the engine listens on", function()
    local settings = require("cli.flags").settings(container().args, function() end, function() end)
    local pod = document("deployment.yaml", "Deployment").spec.template
    assert.same({ { name = "http", containerPort = settings.port } }, container().ports)
    assert.equal(tostring(settings.port), pod.metadata.annotations["prometheus.io/port"])
    assert.same({ { path = "/healthz", port = "http" }, { path = "/readyz", port = "http" } },
      { container().livenessProbe.httpGet, container().readinessProbe.httpGet })
  end)

  it("runs one replica, the old one ended before the new one begins", function()
    local spec = document("deployment.yaml", "Deployment").spec
    assert.same({ 1, "Recreate" }, { spec.replicas, spec.strategy.type })
  end)

  it("gives the container no right it does not need", function()
    assert.same({ allowPrivilegeEscalation = false, capabilities = { drop = { "ALL" } }, readOnlyRootFilesystem = true,
      runAsNonRoot = true, runAsUser = 10001, seccompProfile = { type = "RuntimeDefault" } },
      container().securityContext)
  end)

  it("selects the pods it makes", function()
    local spec = document("deployment.yaml", "Deployment").spec
    assert.same(spec.selector.matchLabels, spec.template.metadata.labels)
  end)

  it("makes the namespace that everything else is in", function()
    assert.equal(document("namespace.yaml", "Namespace").metadata.name,
      document("deployment.yaml", "Deployment").metadata.namespace)
  end)

  it("binds the role to the account that the Deployment uses", function()
    local account = document("rbac.yaml", "ServiceAccount").metadata
    local binding = document("rbac.yaml", "ClusterRoleBinding")
    local engine = document("deployment.yaml", "Deployment")
    assert.same({ account.name, account.namespace }, { binding.subjects[1].name, binding.subjects[1].namespace })
    assert.same({ account.name, account.namespace },
      { engine.spec.template.spec.serviceAccountName, engine.metadata.namespace })
    assert.equal(document("rbac.yaml", "ClusterRole").metadata.name, binding.roleRef.name)
  end)
end)
