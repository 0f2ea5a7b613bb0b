local T = require("T")
local clock, engine, json, kube = require("clock"), require("engine"), require("json"), require("kube")
local api = require("spec.support.api")
local run = require("spec.support.run")

-- The engine against a server that answers all but the watches of canaries as told.
local function answering(lie, options)
  local a = api.new({ "canaries", "services" })
  a.lie = function(request, at) if at and at.plural ~= "canaries" then return lie(request, at) end end
  options = options or {}
  run.current = { api = a }
  assert(engine.start({ kubeconfig = a.path, qps = options.qps or 1000, burst = options.burst or 1000,
    canary = run.CANARY, tick = function() end }))
  run.await(function() return a:watched("canaries") end, "the watch")
  return a
end

local function ask(verb)
  return T.run(function()
    if verb == "create" then return kube.create(run.service("web")) end
    if verb == "delete" then return kube.delete(run.ref("Service", "web")) end
    return kube.patch(run.ref("Service", "web"), { spec = { n = 2 } })
  end)
end

local function status(code, fields, headers)
  fields.kind, fields.apiVersion, fields.code = "Status", "v1", code
  local out = api.answer(code, json.encode(fields))
  for name, value in pairs(headers or {}) do out.headers[name] = value end
  return out
end

describe("an answer of the API server", function()
  after_each(run.stop)

  local codes = { [400] = "INVALID", [403] = "FORBIDDEN", [404] = "NOT_FOUND", [405] = "BAD_ANSWER", [408] = "TIMEOUT",
    [409] = "CONFLICT", [410] = "GONE", [413] = "TOO_LARGE", [415] = "INVALID", [422] = "INVALID", [429] = "THROTTLED",
    [500] = "BAD_ANSWER", [502] = "BAD_ANSWER", [503] = "BAD_ANSWER", [504] = "TIMEOUT", [302] = "BAD_ANSWER" }
  for http, code in pairs(codes) do
    it(("of %d is %s with the server's message"):format(http, code), function()
      answering(function() return status(http, { message = "the reason" }) end)
      assert.same({ "the reason", code }, { select(2, ask()) })
    end)
  end

  for what, body in pairs({ ["no body"] = "", ["HTML"] = "<html>", ["broken JSON"] = '{"message":',
    ["no message"] = "{}", ["a message that is no text"] = '{"message":{}}' }) do
    it("with " .. what .. " is named by its number", function()
      answering(function() return { status = 500, body = body } end)
      assert.same({ "HTTP 500", "BAD_ANSWER" }, { select(2, ask()) })
    end)
  end

  it("of 409 is EXISTS to a POST, or when it says so", function()
    answering(function(request)
      return status(409, { message = "m", reason = request.method == "PATCH" and "AlreadyExists" or nil })
    end)
    assert.same({ "EXISTS", "EXISTS", "CONFLICT" }, { select(3, ask("create")), (select(3, ask("patch"))),
      (select(3, ask("delete"))) })
  end)

  it("of 503 is THROTTLED when it says for how long", function()
    answering(function() return status(503, { message = "m" }, { ["Retry-After"] = "5" }) end)
    assert.equal("THROTTLED", select(3, ask()))
  end)

  it("that breaks off is UNREACHABLE", function()
    answering(function() return { fault = "truncate", body = ("x"):rep(1000) } end)
    assert.equal("UNREACHABLE", select(3, ask()))
  end)

  it("that is cut to a valid length but no JSON is BAD_ANSWER", function()
    answering(function() return api.answer(200, '{"kind":"Service"') end)
    assert.equal("BAD_ANSWER", select(3, ask()))
  end)
end)

describe("the rate of requests", function()
  after_each(run.stop)

  -- How many of `n` patches, made at once, have reached the server after `seconds`.
  local function sent(n, seconds, options)
    local got = {}
    answering(function(_, at) got[#got + 1] = at.name return api.failure(404, "x") end, options)
    T.spin(0.3) -- what the start took is given back
    for i = 1, n do engine.spawn(function() kube.patch(run.ref("Service", "s" .. i), { spec = {} }) end) end
    T.spin(seconds)
    return got
  end

  it("allows a burst, then no more than so many each second, in order", function()
    local before = clock.monotonic()
    local got = sent(30, 0.5, { qps = 20, burst = 5 })
    local most = 5 + math.ceil(20 * (clock.monotonic() - before))
    assert.is_true(#got >= 5 and #got < 30 and #got <= most)
    for i, name in ipairs(got) do assert.equal("s" .. i, name) end
  end)

  it("lets all of them through in the end", function()
    local got = sent(12, 0, { qps = 50, burst = 2 })
    run.await(function() return #got == 12 end, "the last one")
  end)

  it("forgets those that still wait when the engine stops", function()
    local before = T.handles()
    local got = sent(30, 0.05, { qps = 5, burst = 1 })
    run.stop()
    run.settle()
    local n = #got
    T.spin(0.3)
    assert.same({ n, before, 0 }, { #got, T.handles(), T.waits() })
  end)

  it("does not hold back watches", function()
    local a = answering(function() end, { qps = 0.001, burst = 1 }) -- the list took all there is
    assert.is_true(a:watched("canaries"))
  end)
end)
