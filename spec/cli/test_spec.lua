--- serin test by the program itself, as busted is in this process already.

local inside = require("kit.inside")
local json = require("json")
local library = require("spec.support.library")
local verb = require("spec.support.verb")

local SERIN = io.popen("readlink /proc/$PPID/exe"):read("l"):gsub("serin_test$", "serin")

--- Exit code and output of `serin test ...`.
local function run(...)
  local pipe = assert(io.popen(("%s test %s 2>&1; echo exit $?"):format(SERIN, table.concat({ ... }, " "))))
  local text = pipe:read("a")
  pipe:close()
  local out, code = text:match("^(.*)exit (%d+)\n$")
  return math.tointeger(tonumber(code)), out
end

local GOOD = [[
local policy = { name = "careful", api = 1, strategies = { "canary" },
  params = { step = { type = "integer", default = 5, min = 1, max = 50 } } }
function policy.decide(ctx)
  if not ctx.now.passed then return { action = "hold", reason = "a check did not pass" } end
  if ctx.now.weight >= 50 then return { action = "promote", reason = "half is enough" } end
  return { action = "shift", weight = ctx.now.weight + ctx.params.step, reason = "checks passed" }
end
return policy
]]

local function folder(files)
  local dir = library.folder()
  for path, text in pairs(files) do library.write(dir, path, text) end
  return dir
end

describe("serin test", function()
  after_each(function()
    library.clean()
    verb.clean()
  end)

  it("runs the specs of a folder and the suite on its policies", function()
    local code, out = run("examples/scripts")
    assert.equal(0, code, out)
    assert.truthy(out:find("7 successes / 0 failures / 0 errors", 1, true), out)
    assert.truthy(out:find("policies/business_hours.lua: 120 of 120 promises hold", 1, true), out)
    assert.truthy(out:find("policies/canary_vs_primary.lua: 120 of 120 promises hold", 1, true), out)
  end)

  it("finds a spec that does not hold", function()
    local dir = folder({ ["policies/careful.lua"] = GOOD, ["spec/a_spec.lua"] = [[
      local kit = require("kit")
      it("holds", function() assert.equal("shift", kit.new():decide("careful").action) end)
      it("does not hold", function() assert.equal("hold", kit.new():decide("careful").action) end)]] })
    local code, out = run(dir)
    assert.equal(1, code)
    assert.truthy(out:find("1 success / 1 failure / 0 errors", 1, true), out)
    code, out = run("--no-suite --filter=^holds", dir)
    assert.equal(0, code, out)
  end)

  it("finds a policy that promotes on bad data, and one that raises", function()
    local code, out = run(folder({ ["policies/careful.lua"] = GOOD:gsub("if not ctx.now.passed", "if false") }))
    assert.equal(1, code)
    assert.truthy(out:find("policies/careful.lua: canary: no samples at all: look 1: ", 1, true), out)
    code, out = run(folder({ ["policies/careful.lua"] = GOOD:gsub("if not ctx.now.passed", "if ctx.samples[1]") }))
    assert.equal(1, code)
    assert.truthy(out:find("raised policies/careful.lua:4: ", 1, true), out)
  end)

  it("tells both as JSON lines", function()
    local dir = folder({ ["policies/careful.lua"] = GOOD,
      ["spec/a_spec.lua"] = 'it("does not hold", function() assert.equal(1, 2) end)' })
    local code, out = run("-o json", dir)
    assert.equal(1, code)
    local kinds = {}
    for line in out:gmatch("[^\n]+") do
      local record = assert(json.decode(line), line)
      kinds[record.kind] = (kinds[record.kind] or 0) + 1
      if record.kind == "specs" then assert.same({ 0, 1, 0 }, { record.successes, record.failures, record.errors }) end
      if record.kind == "failure" then assert.equal("does not hold", record.name) end
    end
    assert.same({ failure = 1, specs = 1, suite = 40 }, kinds)
  end)

  it("takes parameters of the suite from policytest.yaml, and finds names that are none", function()
    local text = GOOD:gsub("default = 5", "required = true")
    local code, out = run(folder({ ["policies/careful.lua"] = text }))
    assert.equal(1, code)
    assert.truthy(out:find("parameters: params.step: expected a value, found none", 1, true), out)
    local dir = folder({ ["policies/careful.lua"] = text })
    local function parameters(yaml)
      local file <close> = assert(io.open(dir .. "/policytest.yaml", "wb"))
      file:write(yaml)
    end
    parameters("careful: {step: 5}")
    code, out = run(dir)
    assert.equal(0, code, out)
    parameters("carefull: {step: 5}")
    code, out = run(dir)
    assert.equal(1, code)
    assert.truthy(out:find("expected the name of a policy, found carefull (did you mean careful?)", 1, true), out)
  end)

  it("holds texts against golden files, and writes them when asked", function()
    local dir = folder({ ["spec/a_spec.lua"] = [[
      local kit = require("kit")
      it("is golden", function() kit.golden("spec/a.golden", "one\nthree\n") end)]], ["spec/a.golden"] = "one\ntwo\n" })
    local code, out = run(dir)
    assert.equal(1, code)
    assert.truthy(out:find('a.golden:2: expected "two", found "three" (serin test --golden', 1, true), out)
    assert.equal(0, (run("--golden", dir)))
    assert.equal(0, (run(dir)))
  end)

  it("gives scripts what the engine gives, and holds their answers against the same rules", function()
    local dir = folder({
      ["checks/about.lua"] = [[
        local about = { name = "about", api = 1 }
        function about.run(ctx)
          local c = ctx.canary
          return verdict.pass{ value = table.concat({ c.name, c.namespace, c.provider, c.strategy, c.target.kind,
            c.target.name, c.services.apex, c.services.primary, c.services.canary, c.phase, c.weight, c.iterations,
            c.failed_checks, c.run_id, c.run_started_at, ctx.api, next(ctx.metric.variables) or "none" }, " ") }
        end
        return about]],
      ["checks/odd.lua"] = [[return { name = "odd", api = 1,
        run = function() return verdict.fail{ valeu = 1, rule = "x" } end }]],
      ["policies/picky.lua"] = [[return { name = "picky", api = 1, own_weights = true, absolute = true,
        params = { from = { type = "integer", default = 1 } },
        check = function(params, path) if params.from > 5 then return path .. ".from: expected at most 5" end end,
        decide = function() return { action = "hold", reason = "always" } end }]],
      ["spec/a_spec.lua"] = [[
        local kit = require("kit")
        it("about", function()
          assert.equal("app test istio canary Deployment app app app-primary app-canary Progressing 0 0 0 run "
            .. "2030-01-01T00:00:00Z 1 none", kit.new():check("about").value)
          assert.matches(" 30 2 ", kit.new():check("about", {}, { canary = { weight = 30, iterations = 2 } }).value)
        end)
        it("odd", function()
          assert.has_error(function() kit.new():check("odd") end,
            "checks/odd.lua: valeu: expected a field of a verdict (did you mean value?)")
        end)
        it("picky", function()
          local answer, message = kit.new():decide("picky", { params = { from = 9 } })
          assert.same({ nil, "params.from: expected at most 5" }, { answer, message })
          assert.equal("hold", kit.new():decide("picky", { failed_checks = 4, passed = false }).action)
          assert.equal("rollback", kit.new():decide("picky", { failed_checks = 5, passed = false }).action)
        end)]],
    })
    local code, out = run("--no-suite", dir)
    assert.equal(0, code, out)
    assert.truthy(out:find("3 successes", 1, true), out)
  end)

  it("says what is wrong with the Canary of a walk", function()
    local dir = folder({ ["routers/r.lua"] = [[return { name = "r", api = 1, weighted = true, mirrors = false,
      matches = false, affinity = false, reads = tostring, prepare = tostring, routes = tostring, shift = tostring,
      restore = tostring }]], ["spec/a_spec.lua"] = [[
      it("walks", function()
        require("kit").new():walk("r", "metadata: {name: app, namespace: test}\nspec: {service: {port: 80}}", {})
      end)]] })
    local _, out = run(dir)
    assert.truthy(out:find("spec.targetRef: expected", 1, true), out)
    assert.falsy(out:find("message = ", 1, true), out)
  end)

  it("shows in a walk whether the route is in force, and refuses what is unfit", function()
    local dir = folder({ ["routers/r.lua"] = [[
      local router = { name = "r", api = 1, weighted = true, mirrors = false, matches = false, affinity = false,
        grants = { "kube:v1/ConfigMap" } }
      function router.reads() return { it = { apiVersion = "v1", kind = "ConfigMap", name = "w" } } end
      function router.prepare() return {} end
      function router.routes(_, seen)
        return { primary = 100 - tonumber(seen.it.data.weight), canary = tonumber(seen.it.data.weight) }
      end
      function router.shift(_, seen, routes)
        if tonumber(seen.it.data.weight) == routes.canary then return {} end
        return { { key = "it", merge = { data = { weight = ("%d"):format(routes.canary) } } } }
      end
      function router.restore() return {} end
      function router.accepted(_, seen)
        if seen.it.data.weight == "5" then return false, "too little" end
        return true
      end
      function router.unfit(canary)
        if canary.service.port ~= 80 then return "spec.service.port: expected 80" end
      end
      return router]], ["spec/a_spec.lua"] = [[
      local function walk(port)
        return require("kit").new():walk("r", "metadata: {name: app, namespace: test}\nspec: {targetRef: "
          .. "{kind: Deployment, name: app}, service: {port: " .. port .. "}, analysis: {interval: 1m, threshold: 1, "
          .. "stepWeight: 5}}", { 5, 10 }, { it = { data = { weight = "0" } } })
      end
      it("walks", function()
        local text = walk(80)
        assert.truthy(text:find("weight: '5'\n# not accepted: too little\n", 1, true)
          or text:find('weight: "5"\n# not accepted: too little\n', 1, true), text)
        assert.matches("prepare\n.*# accepted\n.*weight 10\n.*# accepted\n", text)
      end)
      it("does not", function() assert.has_error(function() walk(81) end, "spec.service.port: expected 80") end)]] })
    local code, out = run(dir)
    assert.equal(0, code, out)
    assert.truthy(out:find("2 successes", 1, true), out)
  end)

  it("says that there is nothing to test", function()
    local code, out = run(folder({ ["checks/x.lua"] = "return {}" }))
    assert.equal(1, code)
    assert.truthy(out:find("expected specs or policies, found neither", 1, true), out)
  end)

  it("is misused without a folder, or with one that is not there", function()
    assert.equal(2, (verb.call("test")))
    assert.equal(2, (verb.call("test", "/nonexistent")))
    local code, _, err = verb.call("test", "--golde", "x")
    assert.equal(2, code)
    assert.truthy(err:find("did you mean --golden?", 1, true), err)
  end)

  it("says what is missing where busted is not installed", function()
    local pipe = assert(io.popen(("env LUA_PATH=/nonexistent/?.lua LUA_PATH_5_4=/nonexistent/?.lua %s test "
      .. "examples/scripts 2>&1; echo exit $?"):format(SERIN)))
    local text = pipe:read("a")
    pipe:close()
    assert.equal("serin test: busted for Lua 5.4 is not installed (the package lua-busted, or luarocks install "
      .. "busted)\nexit 2\n", text)
  end)

  it("has a help text", function()
    local code, out = verb.call("test", "-h")
    assert.equal(0, code)
    assert.truthy(out:find("^usage: serin test"))
  end)
end)

describe("the kit's stand-in for the workers", function()
  it("lets scripts use what they may use there, and nothing else", function()
    local have = {}
    for _, name in ipairs(inside.GLOBALS) do have[#have + 1] = name end
    for name, functions in pairs(inside.LIBRARIES) do
      for _, fn in ipairs(functions) do have[#have + 1] = ("%s.%s"):format(name, fn) end
    end
    for _, fn in ipairs({ "array", "decode", "encode", "is_array", "null" }) do have[#have + 1] = "json." .. fn end
    table.sort(have)
    local wanted = {}
    for line in io.lines("spec/fixtures/worker/reach.txt") do wanted[#wanted + 1] = line:match("^(%S+) ") end
    table.sort(wanted)
    assert.same(wanted, have)
  end)

  it("has no way out", function()
    local result = inside.run("return { call = function() return { os == nil, io == nil, require == nil, debug == nil, "
      .. "load('return os')() == nil, string.dump == nil, setmetatable == nil } end }", "call", {}, {})
    assert.same({ true, true, true, true, true, true, false }, result)
  end)

  it("gives what a script raises as the workers do", function()
    local value, message, code = inside.run("return { call = function() error('no', 0) end }", "call", {}, {})
    assert.same({ nil, "no", "SCRIPT" }, { value, message, code })
  end)

  it("bounds how often the host is called", function()
    local source = "return { call = function() for i = 1, 3 do clock.now() end end }"
    local _, message = inside.run(source, "call", {}, { calls = { ["clock.now"] = function() return 1 end },
      max_calls = 2 })
    assert.equal("more than 2 calls of the host", message)
  end)
end)
