local calls = require("scripts.calls")
local digest = require("digest")
local grants = require("scripts.grants")

local host, sent, answer, lines, secret

local function scope(list, more)
  local out = { label = "checks/x.lua", canary = "app.demo", namespace = "demo", server = "http://prometheus:9090/",
    grants = assert(grants.read(list)) }
  for key, value in pairs(more or {}) do out[key] = value end
  return out
end

local function made(list, more) return calls.of(host, scope(list, more)) end

local function vector(...)
  local out = {}
  for index, value in ipairs({ ... }) do
    out[index] = ('{"metric":{"pod":"p%d"},"value":[1,"%s"]}'):format(index, value)
  end
  return { status = 200, headers = {}, body = ('{"status":"success","data":{"resultType":"vector","result":[%s]}}')
    :format(table.concat(out, ",")) }
end

before_each(function()
  sent, lines, answer, secret = {}, {}, vector("1.5"), { token = digest.base64("hunter2-hunter2\n") }
  local log = {}
  for _, level in ipairs({ "debug", "info", "warn", "error" }) do
    log[level] = function(text, fields) lines[#lines + 1] = { level, text, fields.canary } end
  end
  host = {
    log = log,
    clock = { now = function() return 1000 end },
    http = { request = function(request)
      sent[#sent + 1] = request
      if answer == "lost" then return nil, "no route to hunter2-hunter2", "UNREACHABLE" end
      return answer
    end },
    kube = { get = function(ref)
      if ref.kind == "Secret" and ref.name == "s" then return { data = secret } end
      if ref.kind == "Service" then return { metadata = { name = ref.name, namespace = ref.namespace } } end
      return nil, "not found", "NOT_FOUND"
    end },
  }
end)

describe("scripts.calls prom", function()
  it("asks the Canary's server without an address", function()
    assert.equal(1.5, made({ "prom" })["prom.query"](nil, "up"))
    assert.equal("http://prometheus:9090/api/v1/query?query=up", sent[1].url)
  end)

  it("asks no server that is not granted", function()
    assert.same({ nil, "http://other:9090 is not granted", "FORBIDDEN" },
      { made({ "prom" })["prom.query"]("http://other:9090", "up") })
    assert.same({}, sent)
    assert.equal(1.5, made({ "prom:http://other:9090" })["prom.query"]("http://other:9090/", "up"))
  end)

  it("is not the configured server's when another one is granted", function()
    assert.equal("FORBIDDEN", (select(3, made({ "prom:http://other:9090" })["prom.query"](nil, "up"))))
  end)

  it("asks a template's own address with its Secret, and another one without", function()
    local template = { spec = { provider = { type = "lua", address = "http://own" } } }
    local its = made({ "prom" }, { template = template, template_secret = { username = "u", password = "p" } })
    its["prom.query"]("http://own", "up")
    its["prom.query"](nil, "up")
    assert.equal("Basic " .. digest.base64("u:p"), sent[1].headers.Authorization)
    assert.is_nil(sent[2].headers.Authorization)
  end)

  it("gives what JSON has: no NaN and no infinities", function()
    answer = vector("+Inf")
    assert.equal(1.7976931348623157e308, made({ "prom" })["prom.query"](nil, "up"))
    answer = vector("NaN")
    assert.same({ nil, "no values found", "NO_DATA" }, { made({ "prom" })["prom.query"](nil, "up") })
    answer = vector("NaN", "-Inf", "2")
    local list = made({ "prom" })["prom.vector"](nil, "up")
    assert.same({ labels = { pod = "p2" }, value = -1.7976931348623157e308 }, list[1])
    assert.same({ labels = { pod = "p3" }, value = 2.0 }, list[2])
    assert.equal(2, #list)
  end)

  it("gives an empty list without data", function()
    answer = { status = 200, headers = {}, body = '{"status":"success"}' }
    assert.same({}, made({ "prom" })["prom.vector"](nil, "up"))
  end)

  it("says what is wrong with the arguments", function()
    assert.has_error(function() made({ "prom" })["prom.query"]("up") end, "prom: query: expected a text, found nil")
    assert.has_error(function() made({ "prom" })["prom.query"](1, "up") end,
      "prom: address: expected a URL or nil, found number")
  end)

  it("is not there without a grant", function() assert.is_nil(made({ "http:http://a" })["prom.query"]) end)
end)

describe("scripts.calls http", function()
  local function ask(request) return made({ "http:http://a/x" })["http.request"](request) end

  it("gives status, headers and body", function()
    answer = { status = 404, headers = { server = "x" }, body = "none" }
    assert.same({ status = 404, headers = { server = "x" }, body = "none" }, ask({ url = "http://a/x/y" }))
    assert.same({ "GET", "http://a/x/y", false, 5, 128 << 10 },
      { sent[1].method, sent[1].url, sent[1].follow, sent[1].timeout, sent[1].max_bytes })
  end)

  it("asks nothing that is not granted", function()
    assert.same({ nil, "http://a/y is not granted", "FORBIDDEN" }, { ask({ url = "http://a/y" }) })
    assert.same({}, sent)
  end)

  it("waits for 8 seconds at most", function()
    ask({ url = "http://a/x", timeout = 600 })
    assert.equal(8, sent[1].timeout)
  end)

  it("makes text of what is none", function()
    answer = { status = 200, headers = {}, body = "a\255b" }
    assert.equal("a?b", ask({ url = "http://a/x" }).body)
  end)

  for message, request in pairs({
    ["http.request: expected a known field, found tiemout (did you mean timeout?)"] = { tiemout = 1 },
    ["http.request: url: expected a URL, found nil"] = {},
    ["http.request: body: expected a string, found table"] = { url = "http://a/x", body = {} },
    ['http.request: headers: expected names and texts of one line, found "a??b"'] =
      { url = "http://a/x", headers = { A = "a\r\nb" } },
  }) do
    it("says: " .. message, function()
      assert.has_error(function() ask(request) end, message)
      assert.same({}, sent)
    end)
  end

  describe("with a Secret", function()
    it("sends its token in the place of any header of the script", function()
      ask({ url = "http://a/x", secret = "s", headers = { authorization = "mine", Accept = "text/plain" } })
      assert.same({ Authorization = "Bearer hunter2-hunter2", Accept = "text/plain" }, sent[1].headers)
    end)

    it("hides it in what comes back", function()
      answer = { status = 200, headers = { echo = "Bearer hunter2-hunter2" }, body = "you are hunter2-hunter2!" }
      assert.same({ status = 200, headers = { echo = "(secret)" }, body = "you are (secret)!" },
        ask({ url = "http://a/x", secret = "s" }))
      answer = "lost"
      assert.same({ nil, "no route to (secret)", "UNREACHABLE" }, { ask({ url = "http://a/x", secret = "s" }) })
    end)

    it("knows user and password, and a whole header", function()
      secret = { username = digest.base64("me"), password = digest.base64("pass-word") }
      answer = { status = 200, headers = {}, body = "pass-word " .. digest.base64("me:pass-word") }
      assert.equal("(secret) (secret)", ask({ url = "http://a/x", secret = "s" }).body)
      secret = { authorization = digest.base64("Token abcdef") }
      ask({ url = "http://a/x", secret = "s" })
      assert.equal("Token abcdef", sent[2].headers.Authorization)
    end)

    it("asks nothing when there is none, or none of use", function()
      assert.same({ nil, "secret t not found", "FORBIDDEN" }, { ask({ url = "http://a/x", secret = "t" }) })
      secret = { other = "eA==" }
      assert.equal("secret s: expected one of authorization, token, username, password, found none",
        (select(2, ask({ url = "http://a/x", secret = "s" }))))
      secret = { token = digest.base64("a\nb") }
      local _, message = ask({ url = "http://a/x", secret = "s" })
      assert.equal("secret s: token: expected one line in base64", message)
      assert.same({}, sent)
    end)
  end)
end)

describe("scripts.calls kube, clock and log", function()
  it("reads granted kinds in the Canary's namespace", function()
    local get = made({ "kube:v1/Service" })["kube.get"]
    assert.equal("demo", get("v1", "Service", "app").metadata.namespace)
    assert.same({ nil, "v1/ConfigMap is not granted", "FORBIDDEN" }, { get("v1", "ConfigMap", "app") })
    assert.same({ nil, "v1/Secret is not granted", "FORBIDDEN" }, { get("v1", "Secret", "s") })
    assert.has_error(function() get("v1", "Service") end, "kube.get: name: expected a text, found nil")
  end)

  it("tells the time, and what a clock on a wall shows", function()
    local its = made()
    assert.equal(1000, its["clock.now"]())
    assert.same({ year = 1970, month = 1, day = 1, hour = 0, minute = 16, second = 40, weekday = 4 }, its["clock.at"]())
    assert.equal(9, its["clock.at"]("Asia/Tokyo", 0).hour)
    assert.equal("INVALID", (select(3, its["clock.at"]("Mars/Olympus"))))
    assert.has_error(function() its["clock.at"](1) end, "clock.at: zone: expected a text, found number")
  end)

  it("logs 20 lines with script and Canary, each on one line", function()
    local its = made()
    for index = 1, 30 do its["log.info"](("line %d\nmore "):format(index) .. ("x"):rep(1000)) end
    assert.equal(20, #lines)
    assert.matches("^checks/x.lua: line 1 more x+%.%.%.$", lines[1][2])
    assert.equal("app.demo", lines[1][3])
    assert.is_true(#lines[1][2] < 540)
  end)
end)
