local affinity = require("routing.affinity")
local routing = require("spec.support.routing")

describe("routing.affinity", function()
  local function canary(settings, status)
    settings.cookieName = "c"
    return routing.canary({ provider = "istio", analysis = { sessionAffinity = settings }, status = status })
  end

  local function set_cookie(settings)
    return affinity.set_cookie(canary(settings, { sessionAffinityCookie = "c=abc" }), "canary")
  end

  it("writes all attributes in their order", function()
    assert.equal("c=abc; Max-Age=5; Domain=d.io; HttpOnly; Partitioned; Path=/p; SameSite=Lax; Secure", set_cookie({
      maxAge = 5, domain = "d.io", httpOnly = true, partitioned = true, path = "/p", sameSite = "Lax", secure = true,
    }))
  end)

  it("lets a cookie live for a day where no age is given", function()
    assert.equal("c=abc; Max-Age=86400", set_cookie({}))
    assert.equal("c=abc; Max-Age=86400", set_cookie({ maxAge = 0 }))
  end)

  it("leaves out what is empty or false", function()
    assert.equal("c=abc; Max-Age=5", set_cookie({ maxAge = 5, domain = "", path = "", sameSite = "", secure = false }))
  end)

  it("has no cookie for a primary that is not named", function()
    local view = canary({ primaryCookieName = "" }, { primarySessionAffinityCookie = "=xyz" })
    assert.is_nil(affinity.set_cookie(view, "primary"))
  end)

  it("takes a text that is no cookie for none", function()
    for _, text in ipairs({ "", "abc" }) do
      local view = canary({}, { sessionAffinityCookie = text, previousSessionAffinityCookie = text })
      assert.same({}, affinity.rules(view, 10))
      assert.same({}, affinity.rules(view, 0))
    end
  end)

  it("is off where the analysis has matches", function()
    local view = canary({})
    assert.is_true(affinity.on(view))
    view.analysis.match = { {} }
    assert.is_false(affinity.on(view))
  end)
end)
