local build = require("build")
local run = require("cli.run")

local function stream()
  local out = { text = "" }
  function out.write(_, ...) out.text = out.text .. table.concat({ ... }) end
  return out
end

--- Runs with an engine that answers `answer`: the code, and what was seen.
local function call(args, answer)
  local seen = { out = stream(), err = stream(), logged = {} }
  local function note(level) return function(text) seen.logged[#seen.logged + 1] = level .. " " .. text end end
  local code = run.run(args, { out = seen.out, err = seen.err, log = { info = note("info"), warn = note("warn") },
    main = { start = function(settings, options)
      seen.settings, seen.options = settings, options
      return table.unpack(answer or { true })
    end } })
  return code, seen
end

describe("cli.run", function()
  it("ends with 2 and a hint when a flag is wrong", function()
    local code, seen = call({ "-mesh-provder=istio" })
    assert.equal(2, code)
    assert.equal("serin: unknown flag -mesh-provder (did you mean -mesh-provider?)\n"
      .. "serin run -help lists the flags\n", seen.err.text)
  end)

  it("starts nothing when a flag is wrong", function()
    local _, seen = call({ "-port=x" })
    assert.is_nil(seen.settings)
    assert.equal("", seen.out.text)
  end)

  it("prints the flags and ends with 0 when asked for help", function()
    local code, seen = call({ "-help" })
    assert.equal(0, code)
    assert.matches("^usage: serin run %[flags%]\n.*%-mesh%-provider text", seen.out.text)
    assert.is_nil(seen.settings)
  end)

  it("prints the version and ends with 0", function()
    local code, seen = call({ "-version", "-log-level=info" })
    assert.equal(0, code)
    assert.equal(("Serin version %s revision %s\n"):format(build.version, build.revision), seen.out.text)
    assert.is_nil(seen.settings)
  end)

  it("lets the loop run once the engine has started", function()
    local code, seen = call({ "-mesh-provider=traefik" })
    assert.is_nil(code)
    assert.equal("traefik", seen.settings.mesh_provider)
  end)

  it("logs one line of what was started", function()
    local _, seen = call({ "-mesh-provider=traefik", "-metrics-server=http://p", "-port=1" })
    assert.same({ ("info serin %s (%s) started: namespace all, mesh provider traefik, metrics server http://p, port 1")
      :format(build.version, build.revision) }, seen.logged)
  end)

  it("hands the flags of the process to the engine", function()
    local _, seen = call({ "-kubeconfig=k", "-master=m", "-kubeconfig-qps=1", "-kubeconfig-burst=2", "-namespace=n",
      "-port=3", "-max-ticks=4", "-log-level=warn", "-zap-encoding=console" })
    assert.same({ kubeconfig = "k", master = "m", qps = 1, burst = 2, namespace = "n", port = 3, max_running = 4,
      log_level = "warn", log_encoding = "console" }, seen.options)
  end)

  it("leaves kubeconfig and master out when they are empty", function()
    local _, seen = call({})
    assert.same({ nil, nil, "" }, { seen.options.kubeconfig, seen.options.master, seen.options.namespace })
  end)

  it("ends with 1 and the reason when the engine cannot start", function()
    local code, seen = call({}, { nil, "no such file: k", "NOT_FOUND" })
    assert.equal(1, code)
    assert.equal("serin: cannot start: no such file: k\n", seen.err.text)
    assert.same({}, seen.logged)
  end)

  it("logs which flags have no effect, whether it starts or not", function()
    local warning = "warn flag -control-loop-interval has no effect: the list is followed as it changes"
    local _, good = call({ "-control-loop-interval=5s" })
    local _, bad = call({ "-control-loop-interval=5s" }, { nil, "broken" })
    assert.same({ warning, warning }, { good.logged[1], bad.logged[1] })
  end)
end)
