--- script.run, and the workers behind it.
local T = require("T")
local lfs = require("lfs")
local clock, digest, engine, json, script = require("clock"), require("digest"), require("engine"), require("json"),
  require("script")
local run = require("spec.support.run")

local STUCK = "return function() return ('a'):rep(2000):find(('.-'):rep(12) .. 'b') end"
local CRASH = "return function() attack.crash() end"

local function go(source, entry, argument, options)
  return T.run(function() return script.run(source, entry, argument, options) end)
end

-- What the chunk's function makes of the argument.
local function eval(body, argument, options)
  return go("return function(x) " .. body .. " end", nil, argument, options)
end

-- Bytes that JSON does not have go as hex.
local UNHEX = "x = x:gsub('..', function(h) return string.char(tonumber(h, 16)) end) "

local function hex(bytes)
  return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

-- Starts a run beside the spec; its results come into the list returned.
local function spawn(source, argument, options)
  local results = {}
  engine.spawn(function()
    local packed = table.pack(script.run(source, nil, argument, options))
    results.n, results[1], results[2], results[3] = packed.n, packed[1], packed[2], packed[3]
  end)
  return results
end

local function ended(results) return results.n ~= nil end

-- A run that stays in a worker until `release` is called.
local function hold(options)
  local here, free = false, false
  options = options or {}
  options.calls = { wait = function()
    here = true
    while not free do clock.sleep(0.002) end
    return "held"
  end }
  local results = spawn("return function() return wait() end", nil, options)
  return results, function() return here end, function() free = true end
end

describe("script", function()
  setup(function() T.log_to("/dev/null") end)

  before_each(function()
    T.workers("")
    script.setup({})
  end)

  teardown(function()
    script.setup({})
    T.log_to()
  end)

  describe("values", function()
    it("go there and back as JSON has them", function()
      local value = { a = { 1, 2.5, "x\0y", true }, b = json.array(), c = json.null, d = {}, e = 1 << 62 }
      local back = eval("x.f = json.is_array(x.b) return x", value)
      assert.same({ 1, 2.5, "x\0y", true }, back.a)
      assert.same({ true, json.null, 1 << 62, true }, { json.is_array(back.b), back.c, back.e, back.f })
      assert.equal("float", math.type(eval("return 1.0")))
    end)

    it("that are nil stay nil", function()
      assert.is_true(eval("return x == nil"))
      assert.equal(1, select("#", eval("return nil")))
      assert.is_nil(eval("return json.null"))
    end)

    it("are refused by name when JSON does not have them", function()
      local result, message, code = eval("", { f = print }, { name = "s.lua" })
      assert.same({ nil, "s.lua: its argument: a function has no JSON form", "INVALID" }, { result, message, code })
    end)

    it("are bounded as an argument", function()
      local list = {}
      for i = 1, 70000 do list[i] = i end
      assert.equal("TOO_LARGE", select(3, eval("", list)))
      assert.equal("TOO_LARGE", select(3, eval("", ("x"):rep(1 << 20))))
      assert.equal(1000000, eval("return #x", ("x"):rep(1000000)))
    end)
  end)

  describe("a chunk", function()
    it("gives a table with the entry", function()
      assert.equal(7, go("return { go = function(x) return x + 1 end }", "go", 6))
    end)

    for what, case in pairs({
      ["no table"] = { "return 1", "s.lua: returned a number, a table with go is expected" },
      ["no entry"] = { "return {}", "s.lua: its field go is a nil, a function is expected" },
      ["a syntax error"] = { "return {\n ] }", "s.lua:2: unexpected symbol near ']'" },
      ["an error"] = { "\n\nerror('no')", "s.lua:3: no" },
      ["an error without a place"] = { "\nlocal function f() error('no', 0) end\nf()", "s.lua:2: no" },
      ["an error that is no text"] = { "\nerror({})", "s.lua:2: an error that is no text" },
      ["an error from a coroutine"] = { "\nlocal f = coroutine.wrap(function()\n local x = nil + 1 end) f()",
        "s.lua:3: attempt to perform arithmetic on a nil value" },
      ["bytecode"] = { string.dump(function() return {} end),
        "s.lua: attempt to load a binary chunk (mode is 't')" },
    }) do
      it("with " .. what .. " is a SCRIPT error with its line", function()
        assert.same({ nil, case[2], "SCRIPT" }, { go(case[1], "go", nil, { name = "s.lua" }) })
      end)
    end

    it("cannot load bytecode, whatever mode it asks for", function()
      local bytecode = hex(string.dump(function() return 1 end))
      assert.same({ "attempt to load a binary chunk (mode is 't')", 2 },
        eval(UNHEX .. "return { select(2, load(x, 'x', 'b')), select('#', load(x, 'x', 'bt', {})) }", bytecode))
    end)

    it("with a name that Lua would cut keeps its line", function()
      local name = ("n"):rep(90)
      assert.equal(name .. ":2: no", (select(2, go("\nerror('no')", nil, nil, { name = name }))))
    end)

    it("cannot put control characters into a message", function()
      assert.equal("s:1: a b??c", (select(2, go("error('a\\nb\\255\\254c', 1)", nil, nil, { name = "s" }))))
    end)

    it("with a name of odd bytes has readable messages", function()
      for _, options in ipairs({ { name = ("\195\164"):rep(60) }, { name = "\255", sha256 = "0" },
        { name = ("x\195\164"):rep(40), deadline = 0.001 } }) do
        local _, message = go("return function() while true do end end", nil, nil, options)
        assert.is_string(message)
        assert.not_nil(utf8.len(message))
      end
    end)

    it("runs in a state of its own", function()
      assert.is_true(eval("string.rep = 5 shared = 1 return true"))
      assert.is_true(eval("return shared == nil and string.rep ~= 5"))
    end)

    it("gets the same random numbers for the same seed", function()
      local body = "return { math.random(1 << 40), math.random(1 << 40) }"
      assert.same(eval(body, nil, { seed = 7 }), eval(body, nil, { seed = 7 }))
      assert.not_same(eval(body, nil, { seed = 7 }), eval(body, nil, { seed = 8 }))
    end)

    it("of 64 KiB runs, of more does not", function()
      local function source(n) return "return function() return 1 end --" .. ("x"):rep(n - 33) end
      assert.equal(1, go(source(65536)))
      assert.same({ nil, "TOO_LARGE" }, { (go(source(65537))), (select(3, go(source(65537)))) })
    end)

    it("must have the sha256 that is asked for", function()
      local source = "return function() return 1 end"
      assert.equal(1, go(source, nil, nil, { sha256 = digest.sha256(source) }))
      assert.equal("REFUSED", select(3, go(source, nil, nil, { sha256 = digest.sha256("other") })))
    end)
  end)

  describe("limits", function()
    it("of memory are those asked for", function()
      local body = "return #('x'):rep(x)"
      assert.equal(1 << 20, eval(body, 1 << 20, { memory = 4 << 20 }))
      assert.same({ nil, "s:1: needs more than the 1048576 bytes of memory it may have", "MEMORY" },
        { eval(body, 1 << 20, { memory = 1 << 20, name = "s" }) })
    end)

    it("of a burst and of all bursts are told apart", function()
      local _, burst = eval("while true do end", nil, { burst = 0.02, budget = 0.2, name = "s" })
      assert.equal("s:1: used 20 ms of CPU without waiting, which is its limit", burst)
      local _, budget = eval("while true do end", nil, { burst = 0.05, budget = 0.02, name = "s" })
      assert.equal("s:1: used 20 ms of CPU in all, which is its limit", budget)
    end)

    it("of time end a run that waits, and name what it waits for", function()
      eval("return 1")
      local results = spawn("return function() slow.call() end", nil,
        { name = "s", deadline = 0.5, calls = { ["slow.call"] = function() clock.sleep(1) end } })
      run.await(function() return ended(results) end, "the end")
      assert.same({ "s: did not end within 0.5 s, waiting for slow.call", "TIMEOUT" }, { results[2], results[3] })
    end)

    it("of time end a run that finds no worker", function()
      script.setup({ workers = 1 })
      local results, here, free = hold({ memory = 40 << 20 })
      run.await(here, "the call")
      local _, message, code = eval("return 1", nil, { name = "s", memory = 40 << 20, deadline = 0.1 })
      assert.same({ "s: did not end within 0.1 s, waiting for a worker: all are busy", "TIMEOUT" }, { message, code })
      free()
      run.await(function() return ended(results) end, "the end")
    end)

    it("of runs at once refuse one more", function()
      script.setup({ queue = 1 })
      local results, here, free = hold()
      run.await(here, "the first run")
      assert.equal("REFUSED", select(3, eval("return 1")))
      free()
      run.await(function() return ended(results) end, "the end")
      assert.equal(1, eval("return 1"))
    end)

    for what, options in pairs({
      ["no time"] = { deadline = 0 }, ["too much CPU"] = { budget = 11 }, ["no memory"] = { memory = 1 },
      ["too much memory"] = { memory = 1 << 30 }, ["a name with a line break"] = { name = "a\nb" },
      ["no name"] = { name = "" }, ["a call that is none"] = { calls = { ["a.b.c"] = print } },
      ["a call without a function"] = { calls = { a = 1 } }, ["NaN seconds"] = { burst = 0 / 0 },
    }) do
      it("that are " .. what .. " raise", function() assert.has_error(function() eval("", nil, options) end) end)
    end

    it("are no business of who is no job", function()
      assert.has_error(function() script.run("return 1") end, "this call has to wait, which only a job can do")
    end)
  end)

  describe("calls", function()
    it("get arguments and give results, nil included, and may wait", function()
      local seen
      local calls = { ["prom.query"] = function(...)
        seen = table.pack(...)
        clock.sleep(0.001)
        return nil, "no data", { 3 }
      end }
      local body = "local a, b, c = prom.query('up', nil, {1}) return { a == nil, b, c[1] }"
      local back = eval(body, nil, { calls = calls })
      assert.same({ true, "no data", 3 }, back)
      assert.same({ n = 3, "up", nil, { 1 } }, { n = seen.n, seen[1], seen[2], { seen[3][1] } })
    end)

    it("work inside of coroutines, and inside of pcall", function()
      local body = [[
        local gen = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(double(i)) end end)
        local ok, four = pcall(double, 2)
        return { gen(), gen(), gen(), ok, four }]]
      assert.same({ 2, 4, 6, true, 4 }, eval(body, nil, { calls = { double = function(n) return 2 * n end } }))
    end)

    it("raise in the script what they raise", function()
      local calls = { f = function(x) error("no " .. x, 0) end }
      assert.same({ nil, "s:1: no way", "SCRIPT" }, { eval("f('way')", nil, { name = "s", calls = calls }) })
      assert.equal("s:1: no way", eval("return select(2, pcall(function() f('way') end))", nil,
        { name = "s", calls = calls }))
    end)

    it("cannot wait inside of a function that C calls, and say so", function()
      local options, tail = { name = "s", calls = { f = function() return 1 end } },
        " has to wait, which is not possible inside a comparator, a replacement or a metamethod"
      local _, direct = eval("table.sort({ 1, 2 }, function() f() end)", nil, options)
      assert.equal("s:1: f" .. tail, direct)
      local _, nested = eval("table.sort({ 1, 2 }, function() coroutine.wrap(function() f() end)() end)", nil, options)
      assert.equal("s:1: this call" .. tail, nested)
    end)

    it("whose results have no JSON form raise in the script", function()
      local _, message = eval("f()", nil, { name = "s", calls = { f = function() return print end } })
      assert.equal("s:1: f: its results: a function has no JSON form", message)
    end)

    it("are at most as many as may be", function()
      local options = { name = "s", max_calls = 2, calls = { f = function() return 1 end } }
      assert.equal(2, eval("return f() + f()", nil, options))
      assert.same({ nil, "s: calls the engine more than 2 times, which is its limit", "SCRIPT" },
        { eval("return f() + f() + f()", nil, options) })
    end)

    it("may run scripts themselves", function()
      local options = { calls = { run = function(body) return script.run("return function() " .. body .. " end") end } }
      assert.equal(42, eval("return run('return 42')", nil, options))
    end)

    it("end when the job is dropped", function()
      run.start()
      local results, here = hold()
      run.await(here, "the call")
      engine.stop()
      run.await(function() collectgarbage() return script.stats().running == 0 end, "the run's end")
      assert.is_false(ended(results))
      run.stop()
    end)
  end)

  describe("a worker", function()
    local function status(pid, field)
      return read("/proc/" .. pid .. "/status"):match("\n" .. field .. ":%s*(%d+)")
    end

    it("is started when there is something to run", function()
      assert.equal(0, script.stats().workers)
      eval("return 1")
      assert.equal(1, script.stats().workers)
    end)

    it("has the filter, no new privileges, and the limits", function()
      eval("return 1")
      local pid = T.worker_pids()[1]
      assert.same({ "2", "1" }, { status(pid, "Seccomp"), status(pid, "NoNewPrivs") })
      local limits = read("/proc/" .. pid .. "/limits")
      for _, limit in ipairs({ "Max core file size", "Max file size", "Max open files", "Max processes" }) do
        assert.matches(limit .. "%s+0%s+0%s", limits)
      end
    end)

    it("sees nothing but its pipe, and no environment", function()
      T.workers("unconfined")
      script.setup({})
      local seen = eval("return { attack.descriptors(), attack.environment() }")
      local sanitized = seen[1][2] == 2
      assert.same({ sanitized and { 0, 2 } or { 0 }, {} }, { { table.unpack(seen[1]) }, { table.unpack(seen[2]) } })
    end)

    it("may not allocate what it likes, where no sanitizer needs the room", function()
      local sanitized = eval("return attack.allocate(1 << 30)", nil, { burst = 5, budget = 5 })
      local mine = read("/proc/self/maps"):find("libasan", 1, true) ~= nil
      assert.equal(mine, sanitized)
    end)

    it("is offered to the kernel when memory is short", function()
      eval("return 1")
      assert.equal("1000\n", read("/proc/" .. T.worker_pids()[1] .. "/oom_score_adj"))
    end)

    it("does not have more runs than it has memory for", function()
      script.setup({ workers = 1 })
      local results, here, free = hold({ memory = 40 << 20 })
      run.await(here, "the call")
      local big = spawn("return function() return 1 end", nil, { memory = 40 << 20 })
      assert.equal(2, eval("return 2", nil, { memory = 20 << 20 }))
      assert.is_false(ended(big))
      free()
      run.await(function() return ended(results) and ended(big) end, "both ends")
    end)

    it("has other runs while one waits", function()
      script.setup({ workers = 1 })
      local results, here, free = hold()
      run.await(here, "the call")
      assert.equal(3, eval("return 3"))
      free()
      run.await(function() return ended(results) end, "the end")
      assert.same({ "held", 0 }, { results[1], script.stats().killed })
    end)

    it("is one of two, and many runs end", function()
      local all = {}
      for i = 1, 60 do
        all[i] = spawn("return function(n) pause() local s = 0 for i = 1, n do s = s + i end return s end", i,
          { calls = { pause = function() clock.sleep(0.002) end } })
      end
      run.await(function() return script.stats().ended == 60 end, "all ends")
      for i = 1, 60 do assert.equal(i * (i + 1) // 2, all[i][1]) end
      assert.equal(2, script.stats().workers)
    end)

    it("is replaced when it has served long", function()
      script.setup({ workers = 1 })
      eval("return 1")
      local first = T.worker_pids()[1]
      T.run(function()
        for _ = 1, 10000 do script.run("return function() end") end
      end)
      assert.not_equal(first, T.worker_pids()[1])
      assert.equal(0, script.stats().quarantined)
    end)

    it("that somebody kills costs no run", function()
      script.setup({ workers = 1 })
      local results, here, free = hold({ name = "s" })
      run.await(here, "the call")
      T.kill(T.worker_pids()[1])
      run.await(function() return script.stats().workers == 1 and script.stats().running == 1 end, "another worker")
      free()
      run.await(function() return ended(results) end, "the end")
      assert.same({ "held", 0 }, { results[1], script.stats().quarantined })
    end)

    it("that is lost again and again under a run ends that run", function()
      script.setup({ workers = 1 })
      local calls, pids = 0, {}
      local results = spawn("return function() return wait() end", nil, { name = "s", calls = { wait = function()
        calls = calls + 1
        pids[calls] = T.worker_pids()[1]
        T.kill(pids[calls])
        clock.sleep(0.2)
      end } })
      run.await(function() return ended(results) end, "the end")
      assert.same({ "s: lost its worker too often", "CRASH", 4 }, { results[2], results[3], calls })
    end)

    it("dies with the engine, also when it computes", function()
      local program = lfs.symlinkattributes("/proc/self/exe", "target")
      local child = io.popen(("exec %s spec/fixtures/worker/busy.lua 2>&1"):format(program))
      local ours, worker = child:read("l"), child:read("l")
      run.await(function() return read("/proc/" .. worker .. "/stat"):find(") R ", 1, true) end, "its computing")
      T.kill(math.tointeger(ours))
      run.await(function()
        local stat <close> = io.open("/proc/" .. worker .. "/stat")
        return not stat or (stat:read("a") or ") Z "):find("%) [ZX] ")
      end, "the worker's end")
      child:close()
    end)

    -- The first run of a pool has the number 1.
    for what, case in pairs({
      ["a call that was not granted"] = string.pack(">BI4s4s4", 6, 1, "secret", "[]"),
      ["arguments that are no list"] = string.pack(">BI4s4s4", 6, 1, "pause", "{}"),
      ["a bad call"] = string.pack(">BI4s4s4B", 6, 1, "pause", "[]", 0),
      ["a bad result"] = string.pack(">BI4I4", 7, 1, 9),
      ["line 1, column 1: unexpected token"] = string.pack(">BI4s4", 7, 1, "]"),
      ["JSON is too deep, at most 64 levels are read"] = string.pack(">BI4s4", 7, 1, ("["):rep(100)),
      ["JSON of 300000 bytes, at most 262144 bytes and 16384 values are read"] =
        string.pack(">BI4s4", 7, 1, (" "):rep(300000)),
      ["a bad failure"] = string.pack(">BI4I4I4s4", 8, 1, 14, 0, ("x"):rep(300)),
      ["a failure of no known kind"] = string.pack(">BI4I4I4s4", 8, 1, 15 + 256, 0, ""),
      ["a bad complaint"] = string.pack(">BI4s4", 9, 1, "x"),
      ["a frame of the engine's"] = string.pack(">BI4s4", 2, 1, "[]"),
    }) do
      it("that sends for its own run " .. what .. " breaks the protocol", function()
        local _, message, code = eval(UNHEX .. "attack.write(0, x) while true do end", hex(string.pack(">s4", case)),
          { name = "s", burst = 3, budget = 3, memory = 32 << 20, calls = { pause = function() end } })
        assert.same({ "s: its worker broke the protocol: " .. what, "CRASH" }, { message, code })
      end)
    end
  end)

  describe("a script that costs a worker", function()
    it("is quarantined with its line and limit, and said so", function()
      local _, message, code = go("\n" .. STUCK, nil, nil, { name = "s" })
      local limit = "s:2: one call of a function took more than 200 ms of CPU, which is its limit"
      assert.same({ limit, "TIMEOUT" }, { message, code })
      _, message, code = go("\n" .. STUCK, nil, nil, { name = "s" })
      assert.equal(limit .. "; sha256 " .. digest.sha256("\n" .. STUCK):sub(1, 12) .. " is quarantined for ",
        message:match("^(.- for )%d+ s more$"))
      assert.same({ "QUARANTINED", 1 }, { code, script.stats().quarantined })
    end)

    it("is quarantined by name and sha256, not by one of the two", function()
      go(CRASH, nil, nil, { name = "s" })
      assert.equal("CRASH", select(3, go(CRASH, nil, nil, { name = "other" })))
      assert.equal(1, go("return function() return 1 end", nil, nil, { name = "s" }))
      assert.equal("QUARANTINED", select(3, go(CRASH, nil, nil, { name = "s" })))
    end)

    it("runs again when its time is over, and then waits twice as long", function()
      script.setup({ quarantine = 0.2 })
      local function left()
        local _, message = go(CRASH, nil, nil, { name = "s" })
        return tonumber((message:match("for (%d+) s more")))
      end
      go(CRASH, nil, nil, { name = "s" })
      assert.equal(1, left())
      local n = 0
      run.await(function()
        local _, _, code = go(CRASH, nil, nil, { name = "s" })
        if code == "CRASH" then n = n + 1 end
        return n == 3
      end, "three more crashes")
      assert.equal(2, left()) -- 0.2, 0.4, 0.8 and now 1.6 s
    end)

    it("is found out when it is alone, and the others end", function()
      script.setup({ workers = 1 })
      local results, here, free = hold({ name = "innocent" })
      run.await(here, "the call")
      local guilty = spawn(CRASH, nil, { name = "guilty" })
      local last = spawn("return function() return 5 end", nil, { name = "last" })
      run.await(function() return ended(last) end, "the last run")
      free()
      run.await(function() return ended(guilty) and ended(results) end, "all ends")
      assert.same({ "CRASH", "held", 5, 1 }, { guilty[3], results[1], last[1], script.stats().quarantined })
    end)

    it("is found out however many others there are", function()
      script.setup({ workers = 1 })
      local source = "return function(n) local s = 0 for i = 1, n do s = s + pause() end return s end"
      local others, calls = {}, { pause = function() clock.sleep(0.002) return 1 end }
      for i = 1, 6 do others[i] = spawn(source, 20, { name = "other", calls = calls }) end
      local guilty = spawn("return function() pause() attack.crash() end", nil, { name = "guilty", calls = calls })
      run.await(function() return script.stats().ended == 7 end, "all ends")
      assert.same({ "guilty: its worker was ended by signal 11", "CRASH" }, { guilty[2], guilty[3] })
      for i = 1, 6 do assert.equal(20, others[i][1]) end
      assert.equal(1, script.stats().quarantined)
    end)

    it("only once runs beside others again when it has ended well alone", function()
      script.setup({ workers = 1 })
      local crashes = 0
      local options = { name = "once", deadline = 5, calls = { first = function()
        crashes = crashes + 1
        return crashes == 1
      end } }
      local source = "return function() if first() then attack.crash() end return 1 end"
      local results, here, free = hold()
      run.await(here, "the call")
      local once = spawn(source, nil, options)
      run.await(function() return script.stats().killed + crashes > 0 end, "the crash")
      free()
      run.await(function() return ended(once) and ended(results) end, "both ends")
      assert.same({ 1, "held", 2 }, { once[1], results[1], crashes })
      results, here, free = hold()
      run.await(here, "the call")
      assert.equal(1, go(source, nil, nil, options))
      free()
      run.await(function() return ended(results) end, "the end")
    end)

    it("is killed by the engine when its worker does not end itself", function()
      T.workers("untimed")
      script.setup({})
      local _, message, code = go("return function() attack.spin() end", nil, nil, { name = "s" })
      assert.matches("^s: its worker did not answer within %d+%.%d s, of which it computed for %d+%.%d s$", message)
      assert.same({ "TIMEOUT", 1, 1 }, { code, script.stats().killed, script.stats().quarantined })
    end)

    it("without computing is killed too, and the others end", function()
      script.setup({ workers = 1 })
      local waiting = spawn("return function() attack.wait() end", nil, { name = "s", burst = 0.001, deadline = 2 })
      local last = spawn("return function() return 5 end")
      run.await(function() return ended(last) and ended(waiting) end, "both ends")
      assert.same({ "TIMEOUT", 5, 1 }, { waiting[3], last[1], script.stats().killed })
    end)

    it("and the next ones make the next worker come later, until one has ended a run", function()
      script.setup({ workers = 1 })
      for i = 1, 6 do assert.equal("CRASH", select(3, go(CRASH, nil, nil, { name = "s" .. i }))) end
      local since = clock.monotonic()
      assert.equal(1, eval("return 1"))
      assert.is_true(clock.monotonic() - since >= 0.3) -- 50 ms after the third, then twice as long: 400
      assert.equal(6, script.stats().quarantined)
    end)
  end)

  describe("where the kernel has no filter", function()
    before_each(function()
      T.workers("unconfined")
      script.setup({})
    end)

    it("a tenant's script is refused, in words", function()
      assert.same({ nil, "s: is a tenant's, and workers are not confined here: the kernel refuses a system call filter",
        "REFUSED" }, { eval("return 1", nil, { name = "s", tenant = true }) })
    end)

    it("the operator's runs", function() assert.equal(1, eval("return 1")) end)
  end)

  it("lets a tenant's script run where workers are confined", function()
    assert.equal(1, eval("return 1", nil, { tenant = true }))
  end)

  it("gives a script nothing but what is on the list", function()
    local source = [[
      return function()
        local seen, out = {}, {}
        local function walk(value, path)
          if type(value) ~= "table" then out[#out + 1] = path .. " " .. type(value) return end
          if seen[value] then return end
          seen[value] = true
          for k, v in next, value do walk(v, path == "" and k or path .. "." .. k) end
        end
        walk(_ENV, "")
        table.sort(out)
        return out
      end]]
    local reached = {}
    for _, path in ipairs(go(source)) do
      if not path:find("^attack%.") then reached[#reached + 1] = path end
    end
    assert.equal(read("spec/fixtures/worker/reach.txt"), table.concat(reached, "\n") .. "\n")
  end)
end)
