local json = require("json")
local merge = require("util.merge")
local object = require("util.object")
local services = require("canary.services")

local function canary(service)
  local view = { names = { apex = "app", primary = "app-primary", canary = "app-canary" },
    target = { name = "app", label = "app", label_value = "app" },
    service = { port = 80, port_name = "http", target_port = "http", unmanaged = {} } }
  for key, value in pairs(service or {}) do view.service[key] = value end
  return view
end

describe("canary.services", function()
  it("lets the canary's Service select the target and the others the primary", function()
    local view = canary()
    assert.same({ app = "app" }, services.wanted(view, "canary", {}).spec.selector)
    assert.same({ app = "app-primary" }, services.wanted(view, "primary", {}).spec.selector)
    assert.same({ app = "app-primary" }, services.wanted(view, "apex", {}).spec.selector)
  end)

  it("adds discovered ports behind its own", function()
    local ports = services.wanted(canary(), "apex", { { name = "grpc", port = 9999 } }).spec.ports
    assert.same({ { name = "http", protocol = "TCP", port = 80, targetPort = "http" },
      { name = "grpc", protocol = "TCP", port = 9999, targetPort = 9999 } }, ports)
  end)

  it("finds nothing to repair in what it made, node ports and order of ports aside", function()
    local want = services.wanted(canary(), "apex", { { name = "grpc", port = 9999 } })
    local have = merge.copy(want)
    have.spec.clusterIP = "10.96.0.1"
    have.spec.ports = json.array({ have.spec.ports[2], have.spec.ports[1] })
    have.spec.ports[2].nodePort = 30080
    assert.is_nil(services.repair(canary(), have, want, true))
  end)

  it("repairs selector and ports, and keeps node ports", function()
    local want = services.wanted(canary(), "apex", {})
    local have = merge.copy(want)
    have.spec.selector = { app = "app", extra = "x" }
    have.spec.ports[1].port, have.spec.ports[1].nodePort = 81, 30080
    local patch = services.repair(canary(), have, want, false)
    assert.same({ app = "app-primary", extra = json.null }, patch.spec.selector)
    assert.equal(30080, patch.spec.ports[1].nodePort)
  end)

  it("notes what a user's Service was, once, and gives it back", function()
    local want, note = services.wanted(canary(), "apex", {}), "serin.dev/original-service"
    local have = merge.copy(want)
    have.metadata.annotations = { mine = "x" }
    have.spec.selector, have.spec.ports[1].port = { app = "app" }, 81
    local patch = services.repair(canary(), have, want, false)
    local changed = object.merged(have, patch)
    assert.is_nil(services.repair(canary(), changed, want, false))
    changed.spec.selector.app = "drift"
    assert.is_nil(services.repair(canary(), changed, want, false).metadata)
    local restored = object.merged(changed, services.restore(canary(), changed))
    assert.same(have, restored)
    assert.is_nil(restored.metadata.annotations[note])
  end)

  it("gives a Service that another controller changed the selector that kubectl applied, or the target's", function()
    local have = services.wanted(canary(), "apex", {})
    have.metadata.annotations = {}
    assert.same({ spec = { selector = { app = "app" } } }, services.restore(canary(), have))
    have.metadata.annotations["kubectl.kubernetes.io/last-applied-configuration"] =
      '{"spec":{"selector":{"app":"app","tier":"web"}}}'
    assert.same({ spec = { selector = { app = "app", tier = "web" } } }, services.restore(canary(), have))
  end)

  it("leaves the metadata of somebody else's Service, and the keys that are not managed", function()
    local view = canary({ unmanaged = { labels = json.array({ "free" }) } })
    local want = services.wanted(view, "apex", {})
    local have = merge.copy(want)
    have.metadata.labels.free, have.metadata.labels.odd = "1", "2"
    assert.is_nil(services.repair(view, have, want, false))
    assert.same({ odd = json.null }, services.repair(view, have, want, true).metadata.labels)
  end)
end)
