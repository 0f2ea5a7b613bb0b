local json = require("json")
local yaml = require("yaml")

-- The single document of a text, as JSON text.
local function one(text)
  local documents = assert(yaml.decode(text))
  assert.equal(1, #documents)
  return json.encode(documents[1])
end

local function refused(text)
  local value, message, code = yaml.decode(text)
  assert.is_nil(value)
  return code, message
end

describe("yaml", function()
  describe("reads the plain scalar", function()
    for text, expected in pairs({
      ["~"] = "null", ["null"] = "null", ["Null"] = "null", ["NULL"] = "null", ["nUll"] = '"nUll"',
      ["true"] = "true", ["True"] = "true", ["TRUE"] = "true",
      ["false"] = "false", ["False"] = "false", ["FALSE"] = "false",
      ["yes"] = '"yes"', ["no"] = '"no"', ["on"] = '"on"', ["off"] = '"off"', ["y"] = '"y"',
      ["0"] = "0", ["-0"] = "0", ["+7"] = "7", ["-12"] = "-12", ["0x1F"] = "31", ["0o17"] = "15", ["-0x10"] = "-16",
      ["0644"] = "420", ["0899"] = "899", ["0x"] = '"0x"', ["0o8"] = '"0o8"', ["0xg"] = '"0xg"', ["1_000"] = '"1_000"',
      ["9223372036854775807"] = "9223372036854775807", ["-9223372036854775808"] = "-9223372036854775808",
      ["0.5"] = "0.5", [".5"] = "0.5", ["5."] = "5.0", ["1e3"] = "1000.0", ["-1.5E-3"] = "-0.0015", ["+.5"] = "0.5",
      ["."] = '"."', ["-."] = '"-."', ["1e"] = '"1e"', ["e1"] = '"e1"', ["1.2.3"] = '"1.2.3"',
      ["2001-01-01"] = '"2001-01-01"', ["1m"] = '"1m"', ["é"] = '"é"', ["a b"] = '"a b"',
    }) do
      it(text, function() assert.equal(expected, one(text)) end)
    end
  end)

  it("reads quoted scalars as strings", function()
    assert.equal('["1","true","~",""]', one([==[["1", 'true', "~", '']]==]))
  end)

  it("reads block scalars as strings", function()
    assert.equal('{"a":"1\\n2\\n","b":"3 4"}', one("a: |\n  1\n  2\nb: >-\n  3\n  4\n"))
  end)

  it("reads block and flow collections alike", function()
    assert.equal(one('{"a": [1, {"b": null}], "c": {}, "d": []}'), one("a:\n- 1\n- b:\nc: {}\nd: []\n"))
  end)

  it("gives every document of a stream, and none for an empty one", function()
    assert.equal('[{"a":1},null,[2]]', json.encode(yaml.decode("a: 1\n---\n---\n- 2\n")))
    assert.equal("[]", json.encode(yaml.decode("")))
    assert.equal("[]", json.encode(yaml.decode("# nothing\n")))
  end)

  it("makes texts of scalar keys", function()
    assert.equal('{"1.5":4,"8080":1,"true":2,"x":3}', one("8080: 1\ntrue: 2\nx: 3\n1.50: 4\n"))
  end)

  it("copies what an alias names", function()
    local document = yaml.decode("a: &x {n: [1]}\nb: *x\n")[1]
    document.a.n[1] = 2
    assert.equal(1, document.b.n[1])
  end)

  it("lets the newest anchor of a name count", function()
    assert.equal("[1,1,2,2]", one("[&a 1, *a, &a 2, *a]"))
  end)

  it("forgets anchors at the end of a document", function()
    assert.equal("INVALID", refused("a: &x 1\n---\nb: *x\n"))
  end)

  it("merges mappings; own keys win, then earlier ones", function()
    local text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], x: 3}\nd: {z: 0, <<: *b}\n"
    local document = yaml.decode(text)[1]
    assert.equal('{"x":3,"y":1,"z":2}', json.encode(document.c))
    assert.equal('{"y":2,"z":0}', json.encode(document.d))
  end)

  it("reads a quoted << as a key", function()
    assert.equal('{"<<":{"a":1}}', one('"<<": {a: 1}'))
    assert.equal('{"<<":{"a":1}}', one("!!str <<: {a: 1}"))
  end)

  it("obeys the tags of the core schema", function()
    assert.equal('["1",2,null]', one("[!!str 1, !!int 2, !!null ~]"))
    assert.equal('["1"]', one("[! 1]"))
  end)

  it("tags its lists", function()
    assert.is_true(json.is_array(yaml.decode("[]")[1]))
    assert.is_true(json.is_array(yaml.decode("[]")))
  end)

  describe("refuses", function()
    for name, text in pairs({
      ["NaN"] = "a: .nan", ["infinity"] = "a: -.inf", ["a number past the doubles"] = "1e400",
      ["an integer past 64 bits"] = "9223372036854775808", ["one below"] = "-9223372036854775809",
      ["hexadecimal past 64 bits"] = "0x8000000000000000", ["duplicate keys"] = "a: 1\nb: 2\na: 3\n",
      ["keys that are the same text"] = "1: a\n'1': b\n", ["a list as a key"] = "? [a]\n: 1\n", ["a null key"] = "~: 1",
      ["an unknown alias"] = "a: *x", ["an anchor that holds itself"] = "&a [*a]",
      ["an unknown tag"] = "!x 1", ["a tag that does not fit"] = "!!int abc", ["a null of one NUL"] = '!!null "\\0"',
      ["merging a scalar"] = "<<: 1",
      ["merging a list of scalars"] = "<<: [1]",
      ["a cut flow"] = "a: [1", ["a tab as indentation"] = "a:\n\tb: 1\n", ["invalid UTF-8"] = "a: \xff",
      ["control characters"] = "a: \27[0m", ["a key with NUL"] = '"\\0": 1', ["UTF-16"] = "\xff\xfea\0:\0 \0001\0",
    }) do
      it(name, function() assert.equal("INVALID", (refused(text))) end)
    end
  end)

  it("says line and column of what it refuses", function()
    local _, message = refused("a: 1\nb: .nan\n")
    assert.equal("line 2, column 4: NaN and infinities have no JSON form", message)
    assert.equal("line 1, column 1: real number overflow", select(2, refused("1e400")))
  end)

  it("reads 64 levels and refuses 65", function()
    local function nested(n) return ("["):rep(n) .. "1" .. ("]"):rep(n) end
    assert.equal(nested(64), one(nested(64)))
    assert.equal("INVALID", refused(nested(65)))
    assert.equal("INVALID", refused(("- "):rep(65) .. "1"))
  end)

  it("refuses aliases that expand to more than a mebibyte", function()
    local lines = { "a0: &a0 [x, x, x, x, x, x, x, x, x, x]" }
    for i = 1, 9 do lines[i + 1] = ("a%d: &a%d [%s*a%d]"):format(i, i, ("*a%d, "):format(i - 1):rep(9), i - 1) end
    assert.equal("TOO_LARGE", (refused(table.concat(lines, "\n"))))
    assert.is_table(yaml.decode(table.concat(lines, "\n", 1, 4)))
  end)

  it("counts merges as expansion", function()
    local big = "a: &a {k: " .. ("x"):rep(1000) .. "}\n"
    assert.is_table(yaml.decode(big .. "b:\n" .. ("- <<: *a\n"):rep(990)))
    assert.equal("TOO_LARGE", (refused(big .. "b:\n" .. ("- <<: *a\n"):rep(1010))))
  end)

  it("refuses too many anchors", function()
    local function anchors(n)
      local lines = {}
      for i = 1, n do lines[i] = ("- &a%d 1"):format(i) end
      return table.concat(lines, "\n")
    end
    assert.is_table(yaml.decode(anchors(1024)))
    assert.equal("TOO_LARGE", (refused(anchors(1025))))
  end)

  it("refuses more than 8 MiB", function()
    local most = "#" .. ("x"):rep((8 << 20) - 1)
    assert.is_table(yaml.decode(most))
    assert.equal("TOO_LARGE", (refused(most .. "x")))
  end)

  it("raises when it is not given a string", function()
    assert.has_error(function() yaml.decode(1) end)
    assert.has_error(function() yaml.decode() end)
  end)
end)

describe("yaml.lines", function()
  it("tells where keys and entries stand, document by document", function()
    assert.same({
      { [""] = 1, a = 1, b = 2, ["b[0]"] = 3, ["b[0].c"] = 3, ["b[0].c.d"] = 4, ["b[1]"] = 5 }, { [""] = 7 } },
      yaml.lines("a: 1\nb:\n- c:\n    d: 1\n- 2\n---\n7\n"))
  end)

  it("leaves out what an alias brings in", function()
    assert.same({ { [""] = 1, a = 1, ["a.x"] = 1, b = 2 } }, yaml.lines("a: &n {x: 1}\nb: *n\n"))
  end)

  it("refuses what yaml.decode refuses, in its words", function()
    for _, text in ipairs({ "a: *n", "a: 1\na: 2", ("["):rep(100), "\xff" }) do
      assert.same({ yaml.decode(text) }, { yaml.lines(text) })
    end
  end)

  it("refuses paths of more than 4 KiB", function()
    local _, _, code = yaml.lines("? " .. ("x"):rep(5000) .. "\n: 1")
    assert.equal("TOO_LARGE", code)
  end)
end)
