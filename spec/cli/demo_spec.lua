local json = require("json")
local demo = require("cli.demo")
local kubeconfig = require("cli.kubeconfig")
local scenario = require("spec.support.scenario")
local story = require("cli.story")
local teller = require("cli.teller")

--- Something to write to: its text is in `text`.
local function paper()
  local sheet = { text = "" }
  function sheet.write(_, ...) sheet.text = sheet.text .. table.concat({ ... }) end
  function sheet.flush() end
  return sheet
end

local function lines_of(text)
  local out = {}
  for line in text:gmatch("[^\n]+") do out[#out + 1] = line end
  return out
end

--- Plays the demo in virtual time. Returns code and text of its end and what was written. `meddle(world)` comes first.
local function play(make, meddle)
  local run, out, ended = scenario.new({ settings = { "-mesh-provider=traefik" } }), paper(), nil
  if meddle then meddle(run.world) end
  local look = demo.play(run.world, make(out), function(code, text) ended = ended or { code, text } end)
  run.world:every(1, function()
    if not ended then look() end
  end)
  run.driver:run(function() return ended ~= nil end, 700)
  return ended[1], ended[2], out.text
end

--- Lets every pod of an image fail a share of its requests.
local function failing(image, errors)
  return function(world) world.traffic:override({ match = image, errors = errors }) end
end

describe("serin demo", function()
  it("ends well when the good revision is promoted and the bad one rolled back", function()
    local code, text = play(teller.plain)
    assert.same({ 0, story.good }, { code, text })
  end)

  it("tells each chapter", function()
    local _, _, text = play(teller.plain)
    local told = text:gsub("\n  [^\n]*", "")
    assert.equal("taking over podinfo 6.0.0\nreleasing 6.0.1, which is well\n" ..
      "releasing 6.0.2, which fails 10 % of its requests\n", told)
  end)

  it("shows every weight of the good release", function()
    local _, _, text = play(teller.plain)
    for _, weight in ipairs({ 10, 20, 30, 40, 50 }) do
      assert.truthy(text:find(("Progressing  canary %%[#*%%-*%%] +%d %%%%"):format(weight)), text)
    end
  end)

  it("shows which check failed", function()
    local _, _, text = play(teller.plain)
    assert.truthy(text:find("request%-success%-rate +fail +9%d%.%d%d +rule >= 99"), text)
  end)

  it("ends badly when the good revision is rolled back", function()
    local code, text = play(teller.plain, failing("podinfo:6.0.1", 0.5))
    assert.equal(1, code)
    assert.truthy(text:find("failed while releasing 6.0.1, which is well; the last event: Canary failed!", 1, true))
  end)

  it("ends badly when the bad revision is promoted", function()
    local code, text = play(teller.plain, failing("podinfo:6.0.2-err10", 0))
    assert.equal(1, code)
    assert.truthy(text:find("failed while releasing 6.0.2", 1, true))
  end)

  it("ends badly when nothing comes about", function()
    local code, text = play(teller.plain, function(world)
      world.api.fault = function() return { before = "BAD_ANSWER" } end
    end)
    assert.equal(1, code)
    assert.truthy(text:find("failed while taking over podinfo 6.0.0", 1, true))
  end)

  it("ends badly when requests were lost", function()
    local code, text = play(teller.plain, function(world) world.traffic.lost = 2.5 end)
    assert.same({ 1, "failed: 3 requests were lost" }, { code, text })
  end)

  it("tells programs one JSON object per line", function()
    local _, _, text = play(teller.json)
    local kinds = {}
    for _, line in ipairs(lines_of(text)) do kinds[assert(json.decode(line)).type] = true end
    assert.same({ chapter = true, change = true }, kinds)
  end)

  it("draws one picture over the other on a terminal", function()
    local _, _, text = play(function(out) return teller.live(out, 80) end)
    assert.truthy(text:find("\27%[%dA\27%[2K +%d+ s"))
  end)
end)

describe("a change", function()
  local function seen(phase, weight)
    return { time = 1, phase = phase, weight = weight, failed_checks = 0, checks = {}, events = {},
      requests = { served = 1, failed = 0, lost = 0 } }
  end

  for name, make in pairs({ text = teller.plain, JSON = teller.json }) do
    it("is told once, as " .. name, function()
      local out = paper()
      local tell = make(out)
      for _, weight in ipairs({ 10, 10, 20, 20 }) do tell.see(seen("Progressing", weight)) end
      assert.equal(2, select(2, out.text:gsub("Progressing", "")))
    end)

    it("is not told before there is a phase, as " .. name, function()
      local out = paper()
      make(out).see(seen("", 0))
      assert.equal("", out.text)
    end)
  end
end)

describe("the verdict", function()
  local SEEN = { time = 99.5, requests = { served = 10, failed = 2, lost = 1 } }

  it("is a line for people", function()
    local out = paper()
    teller.plain(out).verdict(true, "all is well", SEEN)
    assert.equal("serin demo: all is well (10 requests served, 2 failed, 1 lost)\n", out.text)
  end)

  it("is an object for programs", function()
    local out = paper()
    teller.json(out).verdict(false, "sorry", SEEN)
    assert.same({ type = "verdict", ok = false, text = "sorry", time = 99.5, requests = SEEN.requests },
      json.decode(out.text))
  end)
end)

describe("the arguments of serin demo", function()
  for text, wanted in pairs({ [""] = { "text", 12 }, ["--output json"] = { "json", 12 },
    ["--output=json"] = { "json", 12 }, ["-o text"] = { "text", 12 },
    ["--speed 50 -o json"] = { "json", 50 }, ["-speed=1"] = { "text", 1 } }) do
    it(("may be %q"):format(text), function()
      local args = {}
      for word in text:gmatch("%S+") do args[#args + 1] = word end
      local options = demo.parse(args)
      assert.same(wanted, { options.output, options.speed })
    end)
  end

  for _, args in ipairs({ { "--nope" }, { "x" }, { "" }, { "--output" }, { "--output", "yaml" }, { "--speed", "0" },
    { "--speed", "51" }, { "--speed", "fast" }, { "--speed", "nan" }, { "--speed" }, { "--" }, { "-output-json" } }) do
    it("are refused with usage and exit code 2 when they are " .. table.concat(args, " "), function()
      local out, err = paper(), paper()
      assert.equal(2, demo.run(args, { out = out, err = err }))
      assert.equal("", out.text)
      assert.truthy(err.text:find("^serin demo: [^\n]+\nusage: serin demo"))
    end)
  end

  it("may ask for help", function()
    local out = paper()
    assert.equal(0, demo.run({ "--help" }, { out = out, err = paper() }))
    assert.truthy(out.text:find("^usage: serin demo"))
  end)
end)

describe("cli.kubeconfig", function()
  it("writes a file that names the server", function()
    local path = assert(kubeconfig.write(4321))
    local file = assert(io.open(path))
    local config = require("yaml").decode(file:read("a"))[1]
    file:close()
    os.remove(path)
    assert.equal("http://127.0.0.1:4321", config.clusters[1].cluster.server)
  end)

  it("says when it cannot be written", function()
    local path, message = kubeconfig.write(1, "/nosuch/folder/config")
    assert.is_nil(path)
    assert.truthy(message:find("/nosuch/folder/config", 1, true))
  end)
end)
