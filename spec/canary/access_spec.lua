local access = require("canary.access")
local digest = require("digest")

local HOOK = { name = "h", url = "https://h/", secretRef = { name = "s" } }

local function context(data)
  local encoded = {}
  for key, value in pairs(data or {}) do encoded[key] = digest.base64(value) end
  return { namespace = "demo", host = { kube = { get = function(ref)
    assert.same({ apiVersion = "v1", kind = "Secret", namespace = "demo", name = "s" }, ref)
    if not data then return nil, "gone", "NOT_FOUND" end
    return { data = encoded }
  end } } }
end

local function headers(data)
  local request = { headers = {}, body = "{}", follow = true }
  access.apply(assert(access.read(context(data), HOOK)), request, 1700000000.9)
  return request.headers, request
end

describe("canary.access", function()
  it("adds nothing without a Secret", function()
    local request = { headers = {}, body = "{}", follow = true }
    access.apply(assert(access.read(context(), { name = "h" })), request, 0)
    assert.same({ headers = {}, body = "{}", follow = true }, request)
  end)

  it("authorizes in each of three ways, and is not redirected then", function()
    assert.equal("Negotiate x", headers({ authorization = "Negotiate x\n" }).Authorization)
    assert.equal("Bearer t0", headers({ token = "t0\r\n" }).Authorization)
    local found, request = headers({ username = "me", password = "pw" })
    assert.equal("Basic bWU6cHc=", found.Authorization)
    assert.is_false(request.follow)
  end)

  it("shows a certificate and trusts the given authority alone", function()
    local _, request = headers({ ["ca.crt"] = "CA", ["tls.crt"] = "CRT", ["tls.key"] = "KEY" })
    assert.same({ ca = "CA", cert = "CRT", key = "KEY" }, request.tls)
  end)

  -- printf '1700000000.{}' | openssl dgst -sha256 -hmac k
  it("signs time and body", function()
    assert.equal("t=1700000000,v1=c6ef4734033cee2367414a0939385eca0397754aa7a59716da7463a9298b5146",
      headers({ ["hmac.key"] = "k" })["Serin-Signature"])
  end)

  it("says what is wrong with a Secret", function()
    local cases = {
      ["secret s not found"] = false,
      ["secret s: expected one of authorization, token, username, password, ca.crt, tls.crt, tls.key, hmac.key, " ..
        "found none"] = { other = "x" },
      ["secret s: expected tls.crt and tls.key together, found one of them"] = { ["tls.crt"] = "x" },
      ["secret s: expected one line to authorize with, found several"] = { token = "a\r\nHost: b" },
    }
    for sentence, data in pairs(cases) do
      local given, message = access.read(context(data or nil), HOOK)
      assert.is_nil(given)
      assert.equal(sentence, message)
    end
  end)
end)
