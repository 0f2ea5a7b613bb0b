local T = require("T")
local clock, engine, http, server = require("clock"), require("engine"), require("http"), require("server")
local api = require("spec.support.api")
local run = require("spec.support.run")

local listening

local function serve(handler)
  listening = assert(server.listen({ handler = handler }))
  return "http://127.0.0.1:" .. listening:port()
end

local function ask(request) return T.run(function() return http.request(request) end) end

describe("http and server", function()
  after_each(function()
    if listening then listening:close() end
    listening = nil
    T.spin(0.005)
  end)

  it("carries method, path, query, headers and body there, and status, headers and body back", function()
    local seen
    local base = serve(function(request)
      seen = { request.method, request.path, request.query.a, request.query.b, request.headers("X-One"), request.body }
      return { status = 418, headers = { ["X-Two"] = "2" }, body = "tea\0pot" }
    end)
    local answer = ask({ method = "POST", url = base .. "/p%20q?a=1%2B1&b=x+y", headers = { ["X-One"] = "1" },
      body = "in\0side" })
    assert.same({ "POST", "/p q", "1+1", "x y", "1", "in\0side" }, seen)
    assert.same({ 418, "2", "tea\0pot" }, { answer.status, answer.headers["x-two"], answer.body })
  end)

  it("sends a header with several values several times", function()
    local base = serve(function(request) return { body = request.headers("X-A") or "" } end)
    assert.equal(200, ask({ url = base, headers = { ["X-A"] = { "1", "2" } } }).status)
  end)

  it("says UNREACHABLE when nobody listens", function()
    local base = serve(function() return {} end)
    listening:close()
    listening = nil
    T.spin(0.01)
    assert.equal("UNREACHABLE", select(3, ask({ url = base })))
  end)

  it("says TIMEOUT when no answer comes", function()
    local base = serve(function() return { fault = "silence" } end)
    assert.equal("TIMEOUT", select(3, ask({ url = base, timeout = 0.05 })))
  end)

  it("fails when the answer ends in the middle", function()
    local base = serve(function() return { fault = "truncate", body = ("x"):rep(1000) } end)
    assert.is_nil((ask({ url = base })))
  end)

  it("answers 500 when the handler raises or returns nonsense, and goes on", function()
    local n = 0
    T.log_to("/dev/null")
    local base = serve(function()
      n = n + 1
      if n == 1 then error("oh no") end
      return n == 2 and 5 or {}
    end)
    local codes = { ask({ url = base }).status, ask({ url = base }).status, ask({ url = base }).status }
    T.log_to()
    assert.same({ 500, 500, 200 }, codes)
  end)

  it("streams until it is closed, and says when the peer has left", function()
    local stream, closed
    local base = serve(function()
      return { stream = function(s)
        stream = s
        s:write("one ")
      end, on_close = function() closed = true end }
    end)
    local answer
    engine.spawn(function() answer = http.request({ url = base }) end)
    run.await(function() return stream end, "the stream")
    stream:write("two")
    stream:close()
    run.await(function() return answer and closed end, "the end")
    assert.equal("one two", answer.body)
    assert.is_false(stream:write("more"))
  end)

  it("may be closed from inside its own handler", function()
    local base
    base = serve(function()
      listening:close()
      return { body = "last" }
    end)
    ask({ url = base, timeout = 1 })
    run.await(function() return select(3, ask({ url = base, timeout = 1 })) end, "the end")
    listening = nil
  end)

  it("does not give the headers of a request that is over", function()
    local headers
    local base = serve(function(request)
      headers = request.headers
      return {}
    end)
    ask({ url = base })
    assert.has_error(function() headers("Host") end)
  end)

  for what, request in pairs({
    ["no url"] = {}, ["a line break in a header"] = { url = "http://127.0.0.1:1", headers = { a = "b\r\nc: d" } },
    ["a body that is no string"] = { url = "http://127.0.0.1:1", body = {} },
    ["no time at all"] = { url = "http://127.0.0.1:1", timeout = 0 },
  }) do
    it("raises on " .. what, function() assert.has_error(function() ask(request) end) end)
  end

  it("works inside jobs only", function()
    assert.has_error(function() http.request({ url = "http://127.0.0.1:1" }) end)
    assert.has_error(function() clock.sleep(0) end)
  end)
end)

describe("health", function()
  after_each(run.stop)

  local function page(path) return ask({ url = ("http://127.0.0.1:%d%s"):format(engine.stats().port, path) }) end

  it("is good once every kind that is always watched is listed", function()
    run.start({ port = 0 })
    run.await(function() return page("/healthz").status == 200 end, "health")
    assert.equal(200, page("/readyz").status)
  end)

  it("names what is not listed yet", function()
    local e = run.start({ port = 0 })
    e.api.lie = function(_, at) return at and at.plural == "canaries" and { fault = "silence" } or nil end
    local answer = page("/healthz")
    assert.equal(503, answer.status)
    assert.truthy(answer.body:find("Canary: not listed yet", 1, true))
  end)

  it("is alive but not ready while a kind is not installed", function()
    run.start({ port = 0, plurals = { "services" } })
    run.await(function() return page("/healthz").status == 200 end, "health")
    local answer = page("/readyz")
    assert.same({ 503, "Canary: not installed\n" }, { answer.status, answer.body })
  end)

  it("shows the scripts' metrics and the engine's own", function()
    run.start({ port = 0, objects = { { "canaries", run.canary("a") } }, metrics = function() return "mine 1" end })
    run.await(function() return engine.stats().ticks == 1 end, "a tick")
    local body = page("/metrics").body
    for _, line in ipairs({ "mine 1\n", "\nserin_ticks_total 1\n", "\nserin_canaries 1\n", "\nserin_cache_bytes " }) do
      assert.truthy(body:find(line, 1, true), line)
    end
  end)

  it("keeps the engine's metrics when the scripts' fail", function()
    run.start({ port = 0, metrics = function() error("oh no") end })
    T.log_to("/dev/null")
    local body = page("/metrics").body
    T.log_to()
    assert.truthy(body:find("serin_ticks_total", 1, true))
  end)

  it("knows no other page", function()
    run.start({ port = 0 })
    assert.equal(404, page("/").status)
  end)

  it("says which port is taken", function()
    local first = serve(function() return {} end):match("(%d+)$")
    local path = api.kubeconfig(tonumber(first))
    local ok, message = engine.start({ kubeconfig = path, canary = run.CANARY, port = tonumber(first),
      tick = function() end })
    listening:close()
    os.remove(path)
    assert.is_nil(ok)
    assert.truthy(message:find("cannot listen on port " .. first, 1, true))
  end)
end)

describe("clock", function()
  after_each(function() clock.rate(1) end)

  it("runs as fast as it is told", function()
    clock.rate(1000)
    local before = clock.monotonic()
    T.run(function() clock.sleep(20) end)
    assert.is_true(clock.monotonic() - before >= 20)
  end)

  it("moves what is asleep when its rate changes", function()
    local over = false
    engine.spawn(function()
      clock.sleep(3600)
      over = true
    end)
    T.spin(0.01)
    clock.rate(1e6)
    run.await(function() return over end, "the end of the sleep")
  end)

  it("calls a function again and again until it is stopped, also when it raises", function()
    local n, stop = 0, nil
    T.log_to("/dev/null")
    stop = clock.every(0.001, function()
      n = n + 1
      if n == 3 then stop() end
      if n == 1 then error("oh no") end
    end)
    run.await(function() return n == 3 end, "three calls")
    run.settle()
    T.log_to()
    assert.equal(3, n)
    stop()
  end)

  it("goes on when nobody keeps the function that stops it", function()
    local n = 0
    clock.every(0.001, function() n = n + 1 end)
    collectgarbage()
    run.await(function() return n > 3 end, "calls")
    engine.stop()
  end)

  local times = {
    [0] = "1970-01-01T00:00:00Z", [951782400] = "2000-02-29T00:00:00Z", [951868799] = "2000-02-29T23:59:59Z",
    [-1] = "1969-12-31T23:59:59Z", [4107542400] = "2100-03-01T00:00:00Z", [253402300799] = "9999-12-31T23:59:59Z",
    [-62135596800] = "0001-01-01T00:00:00Z",
  }
  for seconds, text in pairs(times) do
    it("writes and reads " .. text, function()
      assert.same({ text, seconds }, { clock.rfc3339(seconds), clock.parse(text) })
    end)
  end

  it("writes microseconds, and reads fractions and offsets", function()
    assert.equal("1970-01-01T00:00:00.100000Z", clock.rfc3339_micro(0.1))
    assert.equal("2026-11-24T15:00:00.123456Z", clock.rfc3339_micro(clock.parse("2026-11-24T15:00:00.123456Z")))
    assert.equal(951822000.25, clock.parse("2000-02-29T12:00:00.25+01:00"))
    assert.equal(951829200, clock.parse("2000-02-29T12:00:00-01:00"))
  end)

  for _, text in ipairs({ "", "now", "2000-02-29", "2000-02-29T12:00:00", "2000-02-29T12:00:00+1",
    "2001-02-29T00:00:00Z", "2000-13-01T00:00:00Z", "2000-02-29T24:00:00Z", "2000-02-29T12:00:00Zx",
    "2000-02-29T12:00:00.Z" }) do
    it(("takes %q for no time"):format(text), function() assert.equal("INVALID", select(3, clock.parse(text))) end)
  end

  it("refuses times that have no text", function()
    for _, seconds in ipairs({ 1e300, 0 / 0, 1 / 0, -1e300 }) do
      assert.has_error(function() clock.rfc3339(seconds) end)
    end
  end)
end)
