local T = require("T")
local digest = require("digest")
local lfs = require("lfs")
local library = require("scripts.library")
local script = require("script")

local GOOD = 'return { name = "burn", api = 1, run = function() return verdict.pass{} end }\n'

local folder, logs, mark

local function write(path, text)
  lfs.mkdir(folder .. "/" .. path:match("^[^/]+"))
  local file <close> = assert(io.open(folder .. "/" .. path, "wb"))
  file:write(text)
  mark = mark + 1
  file:close()
  lfs.touch(folder .. "/" .. path, mark)
end

local function remove_all(path)
  for name in lfs.dir(path) do
    if name ~= "." and name ~= ".." then
      local inside = path .. "/" .. name
      if lfs.attributes(inside, "mode") == "directory" then remove_all(inside) else os.remove(inside) end
    end
  end
  lfs.rmdir(path)
end

local function new(allow_shadow)
  local log = {}
  for _, level in ipairs({ "info", "warn", "error" }) do
    log[level] = function(text) logs[#logs + 1] = level .. ": " .. text end
  end
  return library.new({ host = { script = script, log = log }, folders = { folder }, allow_shadow = allow_shadow })
end

local function load(it)
  T.run(function() it:load() end)
  return it
end

local function loaded(allow_shadow) return load(new(allow_shadow)) end

--- Why the only check is refused.
local function refused(text)
  write("checks/burn.lua", text)
  return (select(2, loaded():find("check", "burn")))
end

describe("scripts.library", function()
  setup(function() T.log_to("/dev/null") end)

  before_each(function()
    script.setup({})
    folder, logs, mark = os.tmpname(), {}, 1000
    os.remove(folder)
    lfs.mkdir(folder)
  end)

  after_each(function() remove_all(folder) end)

  teardown(function()
    script.setup({})
    T.log_to()
  end)

  it("finds a script by kind and name, under the hash of its file", function()
    write("checks/burn.lua", GOOD)
    local found = assert(loaded():find("check", "burn"))
    assert.same({ "check", "burn", "checks/burn.lua", digest.sha256(GOOD) },
      { found.kind, found.name, found.label, found.sha256 })
  end)

  it("names the nearest script of a kind", function()
    write("checks/burn.lua", GOOD)
    assert.equal("expected the name of a check script, one of burn, found burns (did you mean burn?)",
      (select(2, loaded():find("check", "burns"))))
  end)

  it("takes a new version", function()
    write("checks/burn.lua", GOOD)
    local it = loaded()
    write("checks/burn.lua", GOOD .. "-- again\n")
    assert.equal(digest.sha256(GOOD .. "-- again\n"), load(it):find("check", "burn").sha256)
  end)

  it("keeps the last good version when a new one is broken, and says what is wrong", function()
    write("checks/burn.lua", GOOD)
    local it = loaded()
    write("checks/burn.lua", "return {\n name = burn }")
    local found, problem = load(it):find("check", "burn")
    assert.equal(digest.sha256(GOOD), found.sha256)
    assert.equal("checks/burn.lua:2: burn is not defined", problem)
    assert.equal("error: script refused: checks/burn.lua:2: burn is not defined", logs[#logs])
  end)

  it("forgets what was wrong when the file is mended", function()
    write("checks/burn.lua", GOOD)
    local it = loaded()
    write("checks/burn.lua", "return")
    load(it)
    write("checks/burn.lua", GOOD)
    assert.is_nil((select(2, load(it):find("check", "burn"))))
  end)

  it("forgets a script whose file is gone", function()
    write("checks/burn.lua", GOOD)
    local it = loaded()
    os.remove(folder .. "/checks/burn.lua")
    assert.is_nil((load(it):find("check", "burn")))
  end)

  it("keeps everything when the folder cannot be read", function()
    write("checks/burn.lua", GOOD)
    local it = loaded()
    it.folders = { folder .. "/gone" }
    assert.is_table((load(it):find("check", "burn")))
    assert.equal(("error: script refused: %s/gone: no such file or directory"):format(folder), logs[#logs])
  end)

  it("does not try the same broken text again", function()
    write("checks/burn.lua", "return 1")
    local it = loaded()
    local before = script.stats().ended
    load(it)
    assert.equal(before, script.stats().ended)
  end)

  for text, message in pairs({
    ["return 1"] = "checks/burn.lua:1: script: expected a table with name, api and functions, found a number",
    ["local burn = {}"] =
      "checks/burn.lua: script: expected a table with name, api and functions, found nothing "
      .. "(a script ends with return)",
    ["return {\n  name = = 1 }"] = "checks/burn.lua:2: unexpected symbol near '='",
    ['return { name = "brun", api = 1 }'] =
      'checks/burn.lua:1: name: expected "burn", as its file is called, found "brun"',
    ['return { name = "burn", api = 2 }'] = "checks/burn.lua:1: api: expected 1, found 2",
    ['return { name = "burn", kind = "router", api = 1 }'] =
      'checks/burn.lua:1: kind: expected "check", as its folder says, found "router"',
    ['return { name = "burn", api = 1, parms = {}, run = print }'] =
      "checks/burn.lua:1: print is not defined",
    ['return { name = "burn", api = 1, parms = {}, run = tostring }'] =
      'checks/burn.lua:1: header: expected a known field, found "parms" (did you mean params?)',
    ['local burn = { name = "burn", api = 1 }\nfunction burn.other() local none return none end\nreturn burn'] =
      "checks/burn.lua:3: run: expected a function, found none",
    ['return { name = "burn", api = 1, rum = tostring }'] =
      "checks/burn.lua:1: run: expected a function, found none (found rum, did you mean run?)",
    ['return { name = "burn", api = 1, run = tostring,\n  selftets = tostring }'] =
      "checks/burn.lua:2: selftets: expected a function that is called (did you mean selftest?)",
    ['return { name = "burn", api = 1, run = tostring, params = { slo = { type = "nubmer" } } }'] =
      "checks/burn.lua:1: params.slo.type: expected one of number, integer, string, boolean, duration, list, object, "
      .. 'found "nubmer" (did you mean number?)',
    ['return { name = "burn", api = 1, run = tostring, params = { slo = { type = "number", max = 1, default = 2 }}}'] =
      "checks/burn.lua:1: params.slo: expected at most 1, found 2",
    ['return { name = "burn", api = 1, run = tostring, grants = { "promm" } }'] =
      "checks/burn.lua:1: grants[1]: expected prom, prom:URL, http:URL or kube:apiVersion/Kind, found promm "
      .. "(did you mean prom?)",
    ['return { name = "burn", api = 1, run = tostring, grants = { "kube:v1/Secret" } }'] =
      "checks/burn.lua:1: grants[1]: expected prom, prom:URL, http:URL or kube:apiVersion/Kind, found kube:v1/Secret",
    ['local h = require("lib.helpres")\nreturn {}'] =
      "checks/burn.lua:1: require: expected a script or a shipped module like util.object, found lib.helpres",
    ['local h = require "checks.burn"\nreturn {}'] =
      "checks/burn.lua: requires itself: checks.burn -> checks.burn",
    ['local burn = { name = "burn", api = 1, run = tostring,\n  params = {\n    slo = { type = "number" },\n'
      .. '    most = { type = "number", minn = 1 } } }\nreturn burn'] =
      'checks/burn.lua:4: params.most: expected a known field of a rule, found "minn" (did you mean min?)',
    ['return { name = "burn", api = 1,\n  run = tostring,\n  grants = { "prom",\n "http:nowhere" } }'] =
      "checks/burn.lua:4: grants[2]: expected prom, prom:URL, http:URL or kube:apiVersion/Kind, found http:nowhere",
    ['return { name = "burn", api = 1, run = tostring, params = { slo = { type = "duration", max = "soon" } } }'] =
      'checks/burn.lua:1: params.slo.max: expected a duration like 90s or seconds, found "soon"',
    ['return { name = "burn", api = 1, run = tostring, params = { slo = { type = "number", min = "1" } } }'] =
      'checks/burn.lua:1: params.slo.min: expected a number, found "1"',
    ['return { name = "burn", api = 1, run = tostring, params = { slo = { type = "number", min = 2, max = 1 } } }'] =
      "checks/burn.lua:1: params.slo.min: expected at most max (1), found 2",
    ['return { name = "burn", api = 1, run = tostring, params = { slo = { type = "boolean", min = 1 } } }'] =
      "checks/burn.lua:1: params.slo.min: expected none for the type boolean, found 1",
    ['return { name = "burn", api = 1, run = tostring, params = { slo = { type = "number", one_of = { 1 } } } }'] =
      "checks/burn.lua:1: params.slo.one_of: expected none for the type number, found a table",
    ['return { name = "burn", api = 1, run = tostring, params = { slo = { type = "string", one_of = { 1 } } } }'] =
      "checks/burn.lua:1: params.slo.one_of: expected a list of texts, found 1",
    ['return { name = "burn", api = 1, run = tostring, params = { slo = { type = "string", one_of = "a" } } }'] =
      'checks/burn.lua:1: params.slo.one_of: expected a list of texts, found "a"',
    ['return { name = "burn", api = 1, run = tostring, params = { slo = { type = "number", unit = 3 } } }'] =
      "checks/burn.lua:1: params.slo.unit: expected a text, found 3",
    ['return { name = "burn", api = 1, run = tostring, params = { slo = { type = "number", required = 1 } } }'] =
      "checks/burn.lua:1: params.slo.required: expected true or false, found 1",
    ['return { name = "burn", api = 1, run = tostring, params = { slo = { type = "list" } } }'] =
      'checks/burn.lua:1: params.slo.of: expected a rule like { type = "number" }, found nothing',
    ["while true do end"] =
      "checks/burn.lua:1: used 100 ms of CPU without waiting, which is its limit",
    ['return { name = "burn", api = 1, run = tostring, selftest = function()\n error("one is not two") end }'] =
      "checks/burn.lua:2: one is not two",
    ['return { name = "burn", api = 1, run = tostring, selftest = function() return nil, "no" end }'] =
      "checks/burn.lua: selftest: no",
  }) do
    it("refuses " .. text:gsub("\n", " "), function() assert.equal(message, refused(text)) end)
  end

  describe("require", function()
    local USER = 'local h = require("lib.helper")\n'
      .. 'return { name = "burn", api = 1, run = function() return h.two() end, selftest = function() h.two() end }'

    it("takes other scripts, and the hash is over both", function()
      write("checks/burn.lua", USER)
      write("lib/helper.lua", "return { two = function() return 2 end }")
      local it = loaded()
      local before = it:find("check", "burn").sha256
      write("lib/helper.lua", "return { two = function() return 3 end }")
      assert.are_not.equal(before, load(it):find("check", "burn").sha256)
    end)

    it("names the line of another script", function()
      write("checks/burn.lua", USER)
      write("lib/helper.lua", "return { two = function()\n return 1 + nil end }")
      local _, message = loaded():find("check", "burn")
      assert.matches("^checks/burn.lua:2: lib/helper.lua:2: attempt to perform arithmetic", message)
    end)

    it("finds cycles and names them", function()
      write("checks/burn.lua", USER)
      write("lib/helper.lua", 'return require("lib.other")')
      write("lib/other.lua", 'return require("lib.helper")')
      assert.equal("lib/other.lua: requires itself: lib.helper -> lib.other -> lib.helper",
        (select(2, loaded():find("check", "burn"))))
    end)

    it("takes what is shipped for scripts, and no more", function()
      assert.is_nil((select(2, loaded():find("check", "none"))):match("util"))
      write("checks/burn.lua", 'local o = require("util.object")\nlocal z = require("stats.normal")\n'
        .. 'return { name = "burn", api = 1, run = function() end, selftest = function()\n'
        .. 'assert(o.merged({ a = 1 }, { b = 2 }).b == 2) assert(z.cdf or next(z)) end }')
      assert.is_table((loaded():find("check", "burn")))
      assert.matches("found kube.leader", refused('return require("kube.leader")'), 1, true)
    end)

    it("is not what a comment or a text says", function()
      write("checks/burn.lua", '-- require("a.b")\nlocal s = \'require("c.d")\' --[[ require "e" ]]\n' .. GOOD)
      assert.is_table((loaded():find("check", "burn")))
    end)
  end)

  describe("the place of a shipped one", function()
    local ISTIO = 'local function f() return {} end return { name = "istio", api = 1, weighted = true, '
      .. "mirrors = false, matches = false, affinity = false, reads = f, prepare = f, routes = f, shift = f, "
      .. "restore = f }"

    it("is not taken", function()
      write("routers/istio.lua", ISTIO)
      assert.equal("routers/istio.lua: expected a name that no shipped one has, found istio; "
        .. "-allow-shadow=routers/istio lets it take its place", (select(2, loaded():find("router", "istio"))))
    end)

    it("has what no script may have", function()
      write("routers/own.lua", (ISTIO:gsub('"istio"', '"own"'):gsub("restore = ", "apex = tostring, %0")))
      assert.matches("own.lua:%d+: apex: expected none, as a script's is not called, found a function",
        (select(2, loaded():find("router", "own"))))
    end)

    it("is taken when the operator says so", function()
      write("routers/istio.lua", ISTIO)
      assert.is_table((loaded({ "routers/istio" }):find("router", "istio")))
    end)
  end)

  it("tells of folders that it does not know", function()
    write("check/burn.lua", GOOD)
    loaded()
    assert.equal(("error: script refused: %s/check: expected one of the folders checks, lib, notify, policies, "
      .. "routers, found another one (did you mean checks?)"):format(folder), logs[1])
  end)

  it("refuses two of one name", function()
    write("checks/burn.lua", GOOD)
    local it = new()
    it.folders = { folder, folder .. "/" }
    load(it)
    assert.matches("^error: script refused: checks/burn.lua: expected one, found ", logs[1])
  end)
end)
