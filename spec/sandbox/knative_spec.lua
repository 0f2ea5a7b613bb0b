local world = require("sandbox.world")

local API = "serving.knative.dev/v1"

local function started()
  local w = world.new()
  w:apply([[
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: app, namespace: demo}
spec: {template: {spec: {containers: [{image: "podinfo:1"}]}}}
]])
  w:advance(5)
  return w
end

local function set_image(w, image)
  w.api:patch({ apiVersion = API, kind = "Service", namespace = "demo", name = "app" },
    { spec = { template = { spec = { containers = { { image = image } } } } } })
end

local function newest(w)
  local status = w:get("ksvc", "demo", "app").status
  return { status.latestCreatedRevisionName, status.latestReadyRevisionName }
end

describe("a Knative Service of the embedded cluster", function()
  it("has a Revision for each template, which is ready a moment later", function()
    local w = started()
    assert.same({ "app-00001", "app-00001" }, newest(w))
    set_image(w, "podinfo:2")
    assert.same({ "app-00002", "app-00001" }, newest(w))
    w:advance(5)
    assert.same({ "app-00002", "app-00002" }, newest(w))
  end)

  it("keeps the last that was ready where the newest does not start", function()
    local w = started()
    set_image(w, "podinfo:2-broken")
    w:advance(60)
    assert.same({ "app-00002", "app-00001" }, newest(w))
    local revision = w:get("rev", "demo", "app-00002")
    assert.same({ "Ready", "False" }, { revision.status.conditions[1].type, revision.status.conditions[1].status })
  end)

  it("has no new Revision for a new division of its traffic", function()
    local w = started()
    w:patch("ksvc", "demo", "app", { spec = { traffic = { { revisionName = "app-00001", percent = 100 } } } })
    w:advance(5)
    assert.same({ "app-00001", "app-00001" }, newest(w))
    assert.equal("app-00001", w:get("ksvc", "demo", "app").status.traffic[1].revisionName)
  end)
end)
