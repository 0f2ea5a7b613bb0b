local flags = require("cli.flags")
local known = require("cli.known_flags")

local function nobody() end
local function no_environment() end

local function settings(args, environment)
  local getenv = environment and function(name) return environment[name] end or no_environment
  return flags.settings(args, nobody, getenv)
end

local function message(...)
  return (select(2, settings({ ... })))
end

local function warnings(args, environment)
  local out = {}
  assert(flags.settings(args, function(text) out[#out + 1] = text end,
    function(name) return (environment or {})[name] end))
  return out
end

describe("cli.flags", function()
  it("has Flagger's defaults for what the lifecycle reads", function()
    local have = settings({})
    assert.same({ "istio", "http://prometheus:9090", true, false, "" }, { have.mesh_provider, have.metrics_server,
      have.enable_config_tracking, have.no_cross_namespace_refs, have.event_webhook })
    assert.same({ "app", "name", "app.kubernetes.io/name" }, have.selector_labels)
    assert.same({}, have.include_label_prefix)
  end)

  it("has Flagger's defaults for the process", function()
    local have = settings({})
    assert.same({ "", "", "", 100, 250, 8080, "debug", "json" }, { have.kubeconfig, have.master, have.namespace,
      have.kubeconfig_qps, have.kubeconfig_burst, have.port, have.log_level, have.zap_encoding })
  end)

  it("takes every flag of Flagger 1.44", function()
    local file <close> = assert(io.open("spec/fixtures/cli/flagger-1.44-flags.txt"))
    for name in file:lines() do
      assert.not_nil(settings({})[name:gsub("-", "_")], name)
    end
  end)

  for _, form in ipairs({ { "-port=9" }, { "--port=9" }, { "-port", "9" }, { "--port", "9" }, { "-port=+9" } }) do
    it("reads " .. table.concat(form, " "), function() assert.equal(9, settings(form).port) end)
  end

  it("takes the ends of a range", function()
    assert.equal(0, settings({ "-port=0" }).port)
    assert.equal(65535, settings({ "-port=65535" }).port)
  end)

  for _, word in ipairs({ "1", "t", "T", "true", "TRUE", "True" }) do
    it("reads the boolean " .. word .. " as true", function()
      assert.is_true(settings({ "-no-cross-namespace-refs=" .. word }).no_cross_namespace_refs)
    end)
  end

  for _, word in ipairs({ "0", "f", "F", "false", "FALSE", "False" }) do
    it("reads the boolean " .. word .. " as false", function()
      assert.is_false(settings({ "-enable-config-tracking=" .. word }).enable_config_tracking)
    end)
  end

  it("reads a boolean without a value as true and leaves the next argument alone", function()
    local have = settings({ "-no-cross-namespace-refs", "-port", "1" })
    assert.same({ true, 1 }, { have.no_cross_namespace_refs, have.port })
  end)

  it("keeps what stands behind the first equals sign", function()
    assert.equal("http://p/?a=b", settings({ "-metrics-server=http://p/?a=b" }).metrics_server)
  end)

  it("takes a value that looks like a flag", function()
    assert.equal("-x", settings({ "-namespace", "-x" }).namespace)
  end)

  it("obeys the last of two equal flags", function()
    assert.equal("b", settings({ "-namespace=a", "-namespace=b" }).namespace)
  end)

  it("splits lists at commas and nowhere else", function()
    assert.same({ "a", " b", "" }, settings({ "-selector-labels=a, b," }).selector_labels)
  end)

  it("reads an interval in Go's notation", function()
    assert.equal(90, settings({ "-control-loop-interval=1m30s" }).control_loop_interval)
  end)

  it("lets the environment override a flag", function()
    assert.equal("http://env", settings({ "-event-webhook=http://flag" },
      { EVENT_WEBHOOK_URL = "http://env" }).event_webhook)
  end)

  it("passes by an empty variable of the environment", function()
    assert.equal("http://flag", settings({ "-event-webhook=http://flag" }, { EVENT_WEBHOOK_URL = "" }).event_webhook)
  end)

  for _, name in ipairs({ "SLACK_URL", "SLACK_TOKEN", "SLACK_PROXY_URL", "MSTEAMS_URL", "MSTEAMS_PROXY_URL" }) do
    it("reads the variable " .. name, function()
      assert.equal("v", settings({}, { [name] = "v" })[name:lower()])
    end)
  end

  it("names an unknown flag and the nearest known one", function()
    assert.equal("unknown flag -mesh-provder (did you mean -mesh-provider?)", message("-mesh-provder=istio"))
  end)

  it("names an unknown flag that is near to none", function()
    assert.equal("unknown flag -zzzzzzzzzzzz", message("-zzzzzzzzzzzz"))
  end)

  for args, expected in pairs({
    ["-port=x"] = 'flag -port: expected an integer from 0 to 65535, found "x"',
    ["-port=65536"] = 'flag -port: expected an integer from 0 to 65535, found "65536"',
    ["-port=-1"] = 'flag -port: expected an integer from 0 to 65535, found "-1"',
    ["-port=1.5"] = 'flag -port: expected an integer from 0 to 65535, found "1.5"',
    ["-port="] = 'flag -port: expected an integer from 0 to 65535, found ""',
    ["-max-ticks=0"] = 'flag -max-ticks: expected an integer from 1 to 100000, found "0"',
    ["-version=no"] = 'flag -version: expected true or false, found "no"',
    ["-zap-encoding=xml"] = 'flag -zap-encoding: expected one of json, console, found "xml"',
    ["-control-loop-interval=5"] = 'flag -control-loop-interval: expected a duration like 10s, found "5"',
    ["-namespace"] = "flag -namespace: expected a value, found the end of the arguments",
    ["---port=1"] = 'expected -flag or -flag=value, found "---port=1"',
    ["-=1"] = 'expected -flag or -flag=value, found "-=1"',
    ["run"] = 'expected a flag, found "run"',
    ["-"] = 'expected a flag, found "-"',
    [""] = 'expected a flag, found ""',
  }) do
    it("says what is wrong with '" .. args .. "'", function() assert.equal(expected, message(args)) end)
  end

  it("says what is wrong with a word between flags", function()
    assert.equal('expected a flag, found "false"', message("-version", "false", "-port=1"))
  end)

  it("ends at two dashes, behind which nothing may follow", function()
    assert.equal(1, settings({ "-port=1", "--" }).port)
    assert.equal('expected a flag, found "-port=1"', message("--", "-port=1"))
  end)

  for _, word in ipairs({ "-h", "-help", "--help" }) do
    it("tells that " .. word .. " asks for help", function() assert.is_true(settings({ "-port=1", word }).help) end)
  end

  it("takes an unknown log level as info, and says so", function()
    assert.equal("info", settings({ "-log-level=warning" }).log_level)
    assert.same({ "flag -log-level: expected one of debug, info, warn, error, fatal, panic, "
      .. 'found "warning": info is used' }, warnings({ "-log-level=warning" }))
  end)

  it("is silent about flags that have an effect", function()
    assert.same({}, warnings({ "-port=1", "-mesh-provider=traefik", "-no-cross-namespace-refs",
      "-selector-labels=app", "-max-ticks=2", "-log-level=error", "-zap-encoding=console" }))
  end)

  it("is silent about a flag without effect that says what is the case anyway", function()
    assert.same({}, warnings({ "-enable-leader-election=false", "-threadiness=2", "-slack-user=flagger" }))
  end)

  it("says of every flag without effect why it has none", function()
    assert.same({ "flag -threadiness has no effect: there are no workers, see -max-ticks" },
      warnings({ "-threadiness=7" }))
    assert.same({}, warnings({ "-enable-leader-election" }))
  end)

  it("takes and ignores the flags of klog", function()
    local args = { "-v=4", "-logtostderr", "-vmodule=a=1", "-log_file_max_size", "3" }
    assert.equal(4, settings(args).v)
  end)

  it("lists every flag in its usage", function()
    local usage = flags.usage()
    for _, flag in ipairs(known) do assert.truthy(usage:find("-" .. flag[1], 1, true), flag[1]) end
  end)

  it("marks in its usage what has no effect", function()
    assert.matches("%-threadiness integer\n +workers %(default 2%); no effect\n", flags.usage())
    assert.matches("%-slack%-url text\n +webhook of Slack %[SLACK_URL%]\n", flags.usage())
    assert.matches("%-port integer\n +port of [^\n]+ %(default 8080%)\n", flags.usage())
  end)
end)
