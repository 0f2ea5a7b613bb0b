local grants = require("scripts.grants")

local function allows(list, url) return grants.allows_http(assert(grants.read(list)), url) end

describe("scripts.grants", function()
  it("grants nothing without a header", function()
    local given = grants.read(nil)
    assert.is_false(given.prom)
    assert.is_false(grants.allows_http(given, "http://a/"))
    assert.is_false(grants.allows_route(given, "v1", "ConfigMap"))
  end)

  local API = { "http:https://api.example.com/v1" }
  for _, url in ipairs({ "https://api.example.com/v1", "https://api.example.com/v1/x?a=b",
    "https://API.example.com/v1/",
    "https://api.example.com:443/v1/x" }) do
    it("allows " .. url, function() assert.is_true(allows(API, url)) end)
  end

  for _, url in ipairs({ "http://api.example.com/v1", "https://api.example.com/v10", "https://api.example.com/",
    "https://api.example.com:8443/v1", "https://api.example.com.evil.org/v1", "https://evil.org/v1",
    "https://api.example.com@evil.org/v1", "https://user:pw@api.example.com/v1", "https://api.example.com/v1/../admin",
    "https://api.example.com/v1/%2e%2E/admin", "https://evil.org/https://api.example.com/v1", "file:///etc/passwd",
    "https://api.example.com\\@evil.org/v1", "https://api.example.com /v1", "//api.example.com/v1", "" }) do
    it("does not allow " .. url, function() assert.is_false(allows(API, url)) end)
  end

  it("allows a whole host", function() assert.is_true(allows({ "http:http://a:8080" }, "http://a:8080/x/y")) end)

  for url, good in pairs({ ["http://a.b/x"] = true, ["https://a.b"] = true, ["http://c:81/"] = true,
    ["http://c/"] = false,
    ["http://a.b:81/"] = false, ["http://b/"] = false, ["http://a.b@b/"] = false }) do
    it(("%s hosts of tenants: %s"):format(good and "allows" or "does not allow", url), function()
      assert.equal(good, grants.allows_http(grants.of_tenant({ "a.b", "c:81" }), url))
    end)
  end

  it("names the nearest word", function()
    assert.matches("found proms (did you mean prom?)", select(2, grants.read({ "proms" })), 1, true)
  end)

  it("lets a router write what is granted, and never what is the engine's or a credential", function()
    local given = assert(grants.read({ "kube:v1/ConfigMap", "kube:apps/v1/Deployment", "kube:a.b/v1/Route" }))
    assert.is_true(grants.allows_route(given, "v1", "ConfigMap"))
    assert.is_true(grants.allows_route(given, "a.b/v1", "Route"))
    assert.is_false(grants.allows_route(given, "apps/v1", "Deployment"))
    assert.is_false(grants.allows_route(given, "a.b/v2", "Route"))
  end)

  for _, text in ipairs({ "rates", "prom:x", "http:", "http:ftp://a", "http:http://u@a", "http:http://a/../b",
    "http:http://a?x",
    "kube:", "kube:v1/secrets", "kube:v1/Secret", "kube:ConfigMap", 7, "secret:x" }) do
    it("does not know " .. tostring(text), function()
      assert.equal("grants[1]: expected prom, prom:URL, http:URL or kube:apiVersion/Kind, found " .. tostring(text),
        (select(2, grants.read({ text }))))
    end)
  end

  it("takes at most 32", function()
    local list = {}
    for index = 1, 33 do list[index] = "prom" end
    assert.equal("grants: expected at most 32, found 33", (select(2, grants.read(list))))
    list[33] = nil
    assert.is_table(grants.read(list))
  end)
end)
