local T = require("T")
local json = require("json")
local log = require("log")

describe("log", function()
  local path

  before_each(function() path = os.tmpname() end)

  after_each(function()
    T.log_to(nil)
    os.remove(path)
  end)

  local function written()
    local file <close> = assert(io.open(path, "rb"))
    return file:read("a")
  end

  it("writes one JSON line with level, time, message and fields", function()
    T.log_to(path)
    log.info("New revision detected!", { canary = "web.test", phase = "Progressing" })
    local text = written()
    local line = json.decode(text)
    assert.equal("\n", text:sub(-1))
    assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ$", line.ts)
    line.ts = nil
    assert.same({ level = "info", msg = "New revision detected!", canary = "web.test", phase = "Progressing" }, line)
  end)

  it("writes the four levels by their names", function()
    T.log_to(path)
    for _, level in ipairs({ "debug", "info", "warn", "error" }) do log[level]("x") end
    local levels = {}
    for level in written():gmatch('"level":"(%a+)"') do levels[#levels + 1] = level end
    assert.same({ "debug", "info", "warn", "error" }, levels)
  end)

  it("drops lines below its level", function()
    T.log_to(path, "warn")
    log.info("dropped")
    log.warn("kept")
    assert.not_matches("dropped", written())
    assert.matches("kept", written())
  end)

  for name, level in pairs({ fatal = "error", panic = "error", loud = "info", [""] = "info" }) do
    it(("takes the level %q for %s"):format(name, level), function()
      T.log_to(path, name)
      log[level]("kept")
      assert.matches("kept", written())
    end)
  end

  for _, encoding in ipairs({ "json", "console" }) do
    it("escapes control characters in its " .. encoding .. " lines", function()
      T.log_to(path, "debug", encoding)
      log.info('a\n"b"\r\t\27[2J\127\u{9b}\0z', { ["k\n"] = "v\r\n\27" })
      local text = written()
      assert.equal(1, select(2, text:gsub("\n", "")))
      assert.not_matches("[\r\27\127\0]", text)
      assert.not_matches("\u{9b}", text, 1, true)
      assert.matches('a\\n\\"b\\"\\r\\t\\u001b[2J\\u007f\\u009b', text, 1, true)
    end)
  end

  it("writes console lines with tabs between time, level, message and fields", function()
    T.log_to(path, "debug", "console")
    log.warn("halted", { canary = "web.test" })
    log.warn("plain")
    assert.matches('^%S+Z\twarn\thalted\t{"canary":"web%.test"}\n%S+Z\twarn\tplain\n$', written())
  end)

  it("replaces what is not UTF-8", function()
    T.log_to(path)
    log.info("a\xff\xed\xa0\x80b\xc3(\xc0\xaf")
    local bad = "\u{fffd}"
    assert.equal("a" .. bad:rep(4) .. "b" .. bad .. "(" .. bad:rep(2), json.decode(written()).msg)
  end)

  it("cuts long messages and still writes a whole line", function()
    T.log_to(path)
    log.info(("é"):rep(1 << 20), { canary = "web.test" })
    local line = json.decode(written())
    assert.is_true(#line.msg <= 8192 + 3)
    assert.equal("web.test", line.canary)
  end)

  it("writes fields sorted by name", function()
    T.log_to(path)
    local fields, expected = {}, {}
    for i = 1, 16 do
      local name = string.char(96 + i)
      fields[name], expected[i] = "v", ('"%s":"v"'):format(name)
    end
    log.info("x", fields)
    assert.matches(table.concat(expected, ",") .. "}", written(), 1, true)
  end)

  it("raises on messages and fields of wrong types", function()
    assert.has_error(function() log.info() end)
    assert.has_error(function() log.info({}) end)
    assert.has_error(function() log.info("x", "y") end)
    assert.has_error(function() log.info("x", { a = 1 }) end)
    assert.has_error(function() log.info("x", { "a" }) end)
    local many = {}
    for i = 1, 17 do many["k" .. i] = "v" end
    assert.has_error(function() log.info("x", many) end)
  end)
end)
