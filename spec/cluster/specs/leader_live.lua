--- Two replicas at one real API server: one works, and the other goes on where it stood.

local manifests = require("spec.cluster.manifests")
local support = require("spec.cluster.support")

local LEASE = "flagger-leader-election"

describe("leader election", function()
  local engines, namespace = {}, ("lead-%x"):format(os.time())

  local function holder()
    local lease = support.get("lease", "kube-system", LEASE)
    return lease and lease.spec.holderIdentity or ""
  end

  local function wait_for(phase)
    support.wait_until("the canary is " .. phase, 200, function()
      local canary = support.get("canary", namespace, "app")
      return canary and canary.status and canary.status.phase == phase
    end, function() return support.run("kubectl", "-n", namespace, "describe", "canary", "app") end)
  end

  setup(function()
    support.install()
    support.run("kubectl", "-n", "kube-system", "delete", "lease", LEASE)
    engines[1] = support.engine("-enable-leader-election")
    support.wait_until("the first replica leads", 30, function() return holder() ~= "" end)
    engines[2] = support.engine("-enable-leader-election", "-port", "18081")
    support.apply(manifests.fill(manifests.of("kubernetes", "iterations"), { namespace = namespace, host = namespace }))
  end)

  teardown(function()
    for _, engine in ipairs(engines) do engine.stop() end
    support.run("kubectl", "delete", "namespace", namespace, "--wait=false")
  end)

  it("lets the first replica work and the other one watch", function()
    local first = holder()
    wait_for("Initialized")
    assert.equal(first, holder())
    assert.is_nil(support.read(engines[2].path):find("Initialization done", 1, true))
  end)

  it("hands over when the leader is ended", function()
    local first = holder()
    engines[1].stop()
    support.wait_until("the second replica leads", 30, function() return holder() ~= first and holder() ~= "" end)
    support.kubectl("-n", namespace, "set", "image", "deployment/app", "app=podinfo:6.0.1")
    wait_for("Progressing")
    assert.is_nil(support.read(engines[1].path):find("AddressSanitizer", 1, true))
  end)
end)
