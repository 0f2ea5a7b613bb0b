--- The cases of the "Signature Version 4 test suite" that AWS publishes (aws4_testsuite.zip; today in
--- awslabs/aws-c-auth, tests/aws-signing-test-suite/v4): for each the request, and the signature of its .authz file.
local sigv4 = require("util.sigv4")

local CREDENTIALS = { key = "AKIDEXAMPLE", secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" }
local SCOPE = { region = "us-east-1", service = "service" }
local NOW = 1440938160 -- 20150830T123600Z

local FORM = { ["Content-Type"] = "application/x-www-form-urlencoded" }

-- name, target, headers, signed headers, signature; the method and the body are in the name
local cases = {
  { "get-vanilla", "/", {}, "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
  { "get-unreserved", "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", {}, "host;x-amz-date",
    "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f" },
  { "get-slashes", "//example//", {}, "host;x-amz-date",
    "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84" },
  { "get-vanilla-query-order-key-case", "/?Param2=value2&Param1=value1", {}, "host;x-amz-date",
    "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500" },
  { "get-vanilla-query-order-value", "/?Param1=value2&Param1=value1", {}, "host;x-amz-date",
    "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694" },
  { "get-vanilla-utf8-query", "/?\u{1234}=bar", {}, "host;x-amz-date",
    "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04" },
  { "get-header-value-order", "/", { ["My-Header1"] = { "value4", "value1", "value3", "value2" } },
    "host;my-header1;x-amz-date", "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01" },
  { "get-header-key-duplicate", "/", { ["My-Header1"] = { "value2", "value2", "value1" } },
    "host;my-header1;x-amz-date", "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea" },
  { "get-header-value-trim", "/", { ["My-Header1"] = " value1", ["My-Header2"] = ' "a   b   c"' },
    "host;my-header1;my-header2;x-amz-date", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736" },
  { "post-vanilla", "/", {}, "host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b" },
  { "post-x-www-form-urlencoded", "/", FORM, "content-type;host;x-amz-date",
    "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a", body = "Param1=value1" },
}

local function request_of(case)
  return { method = case[1]:match("^%a+"):upper(), url = "https://example.amazonaws.com" .. case[2],
    headers = case[3], body = case.body }
end

describe("util.sigv4", function()
  for _, case in ipairs(cases) do
    it("signs " .. case[1] .. " as AWS does", function()
      local headers = sigv4.headers(request_of(case), CREDENTIALS, SCOPE, NOW)
      assert.equal("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=" ..
        case[4] .. ", Signature=" .. case[5], headers.Authorization)
      assert.equal("20150830T123600Z", headers["X-Amz-Date"])
    end)
  end

  it("signs the token of temporary credentials (post-sts-header-before)", function()
    local token = table.concat({
      "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfp",
      "SPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQ",
      "DYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+s",
      "cqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==",
    })
    local headers = sigv4.headers({ method = "POST", url = "https://example.amazonaws.com/", headers = {} },
      { key = CREDENTIALS.key, secret = CREDENTIALS.secret, token = token }, SCOPE, NOW)
    assert.equal(token, headers["X-Amz-Security-Token"])
    assert.equal("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, " ..
      "SignedHeaders=host;x-amz-date;x-amz-security-token, " ..
      "Signature=85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead", headers.Authorization)
  end)

  local published = { ["/example/../"] = "/", ["/example1/example2/../.."] = "/", ["/"] = "/", ["/./"] = "/",
    ["/./example"] = "/example", [""] = "/" }
  for path, canonical in pairs(published) do
    it(("takes the path %q for %s"):format(path, canonical), function()
      local text = sigv4.canonical({ method = "GET", url = "https://h" .. path, headers = { Host = "h" } })
      assert.equal(canonical, text:match("^GET\n([^\n]*)\n"))
    end)
  end

  local queries = { ["b&a=1"] = "a=1&b=", ["a=1=2"] = "a=1%3D2", ["q=a+b"] = "q=a%2Bb", ["q=a%20b"] = "q=a%20b",
    ["x=a.b&x=a%2fb"] = "x=a%2Fb&x=a.b", [""] = "" }
  for query, canonical in pairs(queries) do
    it(("takes the query %q for %q"):format(query, canonical), function()
      local text = sigv4.canonical({ method = "GET", url = "https://h/?" .. query, headers = { Host = "h" } })
      assert.equal(canonical, text:match("^GET\n[^\n]*\n([^\n]*)\n"))
    end)
  end

  it("escapes once more what is escaped in the path, and signs the body", function()
    local text = sigv4.canonical({ method = "GET", url = "https://h/a%2Fb", headers = { Host = "h" }, body = "x" })
    assert.truthy(text:find("\n/a%252Fb\n", 1, true))
    assert.truthy(text:find("2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881$"))
  end)

  it("leaves the request as it was, and names no password of the address", function()
    local request = { method = "GET", url = "https://u:p@example.amazonaws.com/", headers = {} }
    local headers = sigv4.headers(request, CREDENTIALS, SCOPE, NOW)
    assert.same({}, request.headers)
    assert.truthy(headers.Authorization:find("5fa00fa31553b73ebf", 1, true))
    assert.is_nil(headers.Host)
  end)
end)
