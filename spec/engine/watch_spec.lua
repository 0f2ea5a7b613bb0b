local T = require("T")
local engine, json, kube = require("engine"), require("json"), require("kube")
local api = require("spec.support.api")
local run = require("spec.support.run")

local METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
local METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"

local function canary(name, version, n)
  local object = run.canary(name, { n = n or 1 })
  object.metadata.resourceVersion = version
  return object
end

local function page(objects, version, token)
  local items = json.array()
  for i, object in ipairs(objects) do items[i] = object end
  return api.answer(200, json.encode({ kind = "CanaryList", items = items,
    metadata = { resourceVersion = version, continue = token } }))
end

local function line(type, object) return json.encode({ type = type, object = object }) .. "\n" end

local function failure_line(code, message)
  return line("ERROR", { kind = "Status", apiVersion = "v1", code = code, message = message })
end

-- A server whose canaries behave as told: list(n, query), an answer; watch(n, stream, query), which may write
-- and close; refuse(n, query), an answer instead. What was asked is in .lists and .asked.
local function serve(behaviour)
  local a = api.new({ "canaries", "secrets" })
  a.lists, a.asked, a.streams = {}, {}, {}
  a.lie = function(request, at)
    if not at or at.plural ~= "canaries" then return nil end
    if not request.query.watch then
      a.lists[#a.lists + 1] = request.query
      return behaviour.list and behaviour.list(#a.lists, request.query) or page({ canary("one", "10") }, "10")
    end
    a.asked[#a.asked + 1] = request.query
    local n = #a.asked
    local refusal = behaviour.refuse and behaviour.refuse(n, request.query)
    return refusal or { status = 200, stream = function(stream)
      a.streams[n] = stream
      if behaviour.watch then behaviour.watch(n, stream, request.query) end
    end }
  end
  return run.start({ api = a }).api
end

local function names()
  local out = {}
  local found = T.run(function() return kube.list({ apiVersion = "flagger.app/v1beta1", kind = "Canary" }) end)
  for _, object in ipairs(found or {}) do out[object.metadata.name] = object.spec.n end
  return out
end

-- More than is ever taken as one.
local function pour(stream)
  for _ = 1, 17 do
    stream:write(("x"):rep(1 << 20))
    T.spin(0.02)
  end
end

local function awaits(a, what, n) run.await(function() return #a[what] >= n end, what .. " " .. n) end

local function awaits_names(expected)
  run.await(function()
    local found = names()
    for name, n in pairs(expected) do if found[name] ~= n then return false end end
    for name in pairs(found) do if not expected[name] then return false end end
    return true
  end, json.encode(expected))
end

-- What the engine logs meanwhile.
local function logged(fn)
  local path = os.tmpname()
  T.log_to(path)
  local ok, message = pcall(fn)
  T.log_to()
  local file = assert(io.open(path))
  local text = file:read("a")
  file:close()
  os.remove(path)
  if not ok then error(message, 0) end
  return text
end

local function quietly(fn) logged(fn) end

describe("a watch", function()
  after_each(run.stop)

  it("asks for pages of 500, then for events with bookmarks from the list's version", function()
    local a = serve({})
    awaits(a, "streams", 1)
    assert.same({ limit = "500" }, a.lists[1])
    local seconds = math.tointeger(tonumber(a.asked[1].timeoutSeconds))
    assert.is_true(seconds >= 300 and seconds <= 600)
    a.asked[1].timeoutSeconds = nil
    assert.same({ watch = "true", allowWatchBookmarks = "true", resourceVersion = "10" }, a.asked[1])
  end)

  it("asks for metadata only where nothing else is needed", function()
    local accepts = {}
    local a = api.new({ "canaries", "secrets" })
    a.lie = function(request, at)
      if at.plural == "secrets" then accepts[request.query.watch or "list"] = request.headers("Accept") end
    end
    run.start({ api = a })
    T.run(function() return kube.get(run.ref("Secret", "x")) end)
    run.await(function() return accepts["true"] end, "the watch")
    assert.same({ list = METADATA_LIST, ["true"] = METADATA }, accepts)
  end)

  it("finds events wherever chunks begin", function()
    local a = serve({})
    awaits(a, "streams", 1)
    local size = #line("MODIFIED", canary("one", "100", 100))
    for cut = 1, size do
      local text = line("MODIFIED", canary("one", tostring(100 + cut), 100 + cut))
      a.streams[1]:write(text:sub(1, cut))
      T.spin(0.001)
      a.streams[1]:write(text:sub(cut + 1) .. line("BOOKMARK", { metadata = { resourceVersion = "9" .. cut } }))
      T.spin(0.001)
    end
    awaits_names({ one = 100 + size })
    assert.equal(1, #a.lists)
  end)

  it("takes several events and blank lines from one chunk", function()
    local a = serve({ watch = function(_, stream)
      stream:write("\n \r\n" .. line("ADDED", canary("two", "11")) .. "\n" .. line("DELETED", canary("one", "12")))
    end })
    awaits_names({ two = 1 })
    assert.equal(1, #a.lists)
  end)

  it("puts pages together, with whatever token the server gives", function()
    local token = "eyJ2Ijoi+/=&limit=1?#é"
    local a = serve({ list = function(_, query)
      if not query.continue then return page({ canary("a"), canary("b") }, "20", token) end
      return page({ canary("c") }, "21")
    end })
    awaits(a, "streams", 1)
    assert.same({ a = 1, b = 1, c = 1 }, names())
    assert.same({ token, "500" }, { a.lists[2].continue, a.lists[2].limit })
    assert.equal("20", a.asked[1].resourceVersion)
  end)

  it("begins the list again when the token has expired in the middle", function()
    local a = serve({ list = function(n, query)
      if query.continue and n == 2 then return api.failure(410, "expired") end
      if query.continue then return page({ canary("c") }, "30") end
      return page({ canary(n == 1 and "old" or "new") }, "30", "token")
    end })
    awaits(a, "streams", 1)
    assert.same({ new = 1, c = 1 }, names())
    assert.is_nil(a.lists[3].continue)
  end)

  it("asks again for a page that failed, not for the whole list", function()
    local a
    quietly(function()
      a = serve({ list = function(n, query)
        if n == 2 then return { fault = "reset" } end
        return query.continue and page({ canary("b") }, "30") or page({ canary("a") }, "30", "token")
      end })
      awaits(a, "streams", 1)
    end)
    assert.same({ a = 1, b = 1 }, names())
    assert.same({ 3, "token", "token" }, { #a.lists, a.lists[2].continue, a.lists[3].continue })
  end)

  it("asks for smaller pages when one is too large", function()
    local large
    local a = serve({ list = function(n)
      return n == 1 and { status = 200, stream = function(stream) large = stream end } or nil
    end })
    awaits(a, "lists", 1)
    pour(large)
    awaits(a, "streams", 1)
    assert.same({ "500", "250" }, { a.lists[1].limit, a.lists[2].limit })
  end)

  local ends = {
    ["an event's version"] = line("ADDED", canary("two", "77")),
    ["a bookmark's"] = line("BOOKMARK", { kind = "Canary", metadata = { resourceVersion = "77" } }),
    ["a deletion's"] = line("DELETED", canary("one", "77")),
  }
  for what, text in pairs(ends) do
    it("goes on from " .. what .. " when it has ended", function()
      local a = serve({ watch = function(n, stream)
        if n > 1 then return end
        stream:write(text)
        stream:close()
      end })
      awaits(a, "streams", 2)
      assert.same({ 1, "77" }, { #a.lists, a.asked[2].resourceVersion })
    end)
  end

  it("escapes a version that is not plain", function()
    local a = serve({ list = function() return page({}, "1&watch=false#é") end })
    awaits(a, "asked", 1)
    assert.same({ "1&watch=false#é", "true" }, { a.asked[1].resourceVersion, a.asked[1].watch })
  end)

  it("neither takes nor loses an event that was cut off", function()
    local text = line("ADDED", canary("two", "77"))
    local a = serve({ watch = function(n, stream)
      stream:write(n == 1 and text:sub(1, -10) or text)
      if n == 1 then stream:close() end
    end })
    awaits_names({ one = 1, two = 1 })
    assert.same({ 1, "10" }, { #a.lists, a.asked[2].resourceVersion })
  end)

  it("says nothing about a connection that broke after it had worked", function()
    local a
    local text = logged(function()
      a = serve({ watch = function(n, stream)
        stream:write(line("MODIFIED", canary("one", tostring(20 + n), n)))
      end })
      awaits(a, "streams", 1)
      a.listener:close()
      T.spin(0.01)
    end)
    assert.equal("", text)
  end)

  for how, behaviour in pairs({
    ["the watch is refused"] = { refuse = function(n) return n == 1 and api.failure(410, "too old") or nil end },
    ["an event says so"] = { watch = function(n, stream)
      if n == 1 then stream:write(failure_line(410, "too old")) end
    end },
  }) do
    it("lists again without a complaint when its version is too old and " .. how, function()
      behaviour.list = function(n) return page({ canary(n == 1 and "one" or "two", "50") }, tostring(n * 10)) end
      local text = logged(function()
        local a = serve(behaviour)
        awaits_names({ two = 1 })
        awaits(a, "asked", 2)
        assert.same({ 2, "20" }, { #a.lists, a.asked[2].resourceVersion })
      end)
      assert.equal("", text)
    end)
  end

  it("does not list without pause when every version is too old", function()
    local a = serve({ refuse = function() return api.failure(410, "too old") end })
    T.spin(1)
    assert.is_true(#a.lists >= 2 and #a.lists <= 7)
  end)

  it("goes on where it was after another error", function()
    local a
    local text = logged(function()
      a = serve({ watch = function(n, stream)
        if n == 1 then stream:write(line("ADDED", canary("two", "33")) .. failure_line(500, "etcd is unwell")) end
      end })
      awaits(a, "streams", 2)
    end)
    assert.truthy(text:find("the watch of Canary failed: etcd is unwell", 1, true))
    assert.same({ 1, "33" }, { #a.lists, a.asked[2].resourceVersion })
  end)

  local garbage = {
    ["no JSON"] = "{oh no\n",
    ["a list"] = "[]\n",
    ["no type"] = '{"object":{}}\n',
    ["an unknown type"] = '{"type":"EXPLODED","object":{}}\n',
    ["no object"] = '{"type":"ADDED"}\n',
    ["an object that is a text"] = '{"type":"ADDED","object":"x"}\n',
    ["a version that is too long"] = line("ADDED", canary("two", ("9"):rep(300))),
    ["a NUL"] = '{"type":"ADDED",\0"object":{}}\n',
  }
  for what, text in pairs(garbage) do
    it("lists again after " .. what, function()
      quietly(function()
        local a = serve({ list = function(n) return page({ canary("n" .. n, "50") }, "50") end,
          watch = function(n, stream) if n == 1 then stream:write(text .. line("ADDED", canary("two", "99"))) end end })
        awaits_names({ n2 = 1 })
        awaits(a, "streams", 2)
        assert.equal("50", a.asked[2].resourceVersion)
      end)
    end)
  end

  it("lists again after a line without end", function()
    local text = logged(function()
      local a = serve({})
      awaits(a, "streams", 1)
      pour(a.streams[1])
      awaits(a, "lists", 2)
    end)
    assert.truthy(text:find("a line that is too long", 1, true))
  end)

  local odd = {
    ["that is no JSON"] = "<html>",
    ["that is cut off"] = '{"items":[',
    ["without items"] = '{"metadata":{"resourceVersion":"1"}}',
    ["without a version"] = '{"items":[],"metadata":{}}',
    ["with items that are none"] = '{"items":[1],"metadata":{"resourceVersion":"1"}}',
  }
  for what, body in pairs(odd) do
    it("gives nothing up for a list " .. what, function()
      quietly(function()
        local again = false
        local a = serve({ list = function(n)
          if n == 2 then return api.answer(200, body) end
          if n == 3 then again = true end
        end, watch = function(n, stream) if n == 1 then stream:write(failure_line(410, "too old")) end end })
        awaits(a, "lists", 2)
        repeat assert.same({ one = 1 }, names()) T.spin(0.002) until again
        awaits(a, "streams", 2)
      end)
    end)
  end

  it("takes null for an empty list", function()
    local body = '{"items":null,"metadata":{"resourceVersion":"1"}}'
    local a = serve({ list = function() return api.answer(200, body) end })
    awaits(a, "streams", 1)
    assert.same({}, names())
  end)

  it("waits longer and longer while the list fails, and is well at once when it does not", function()
    local times, good = {}, false
    quietly(function()
      local a = serve({ list = function(n)
        times[n] = true
        return not good and api.failure(500, "oh no") or nil
      end })
      T.spin(1)
      assert.is_true(#times >= 3 and #times <= 8)
      assert.is_false(engine.stats().synced)
      good = true
      awaits(a, "streams", 1)
      assert.is_true(engine.stats().synced)
    end)
  end)

  it("waits as long as the server asks", function()
    quietly(function()
      local a = serve({ list = function(n)
        return n == 1 and api.failure(429, "slow down", { ["Retry-After"] = "1" }) or nil
      end })
      T.spin(0.9)
      assert.equal(1, #a.lists)
      awaits(a, "lists", 2)
    end)
  end)

  it("does not give up what was there for a single 404", function()
    local a = serve({ list = function(n) return n == 2 and api.failure(404, "starting") or nil end,
      watch = function(n, stream) if n == 1 then stream:write(failure_line(410, "too old")) end end })
    awaits(a, "lists", 2)
    while #a.lists < 3 do
      assert.same({ one = 1 }, names())
      T.spin(0.02)
    end
  end)

  it("drops everything when it is stopped in the middle of a line", function()
    local before = T.handles()
    for cut = 1, 3 do
      local a = serve({ watch = function(_, stream)
        stream:write(line("ADDED", canary("x", "11")):sub(1, cut * 20))
      end })
      awaits(a, "streams", 1)
      run.stop()
      run.settle()
    end
    assert.equal(before, T.handles())
  end)
end)
