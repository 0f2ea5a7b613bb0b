local json = require("json")

local function again(text)
  local value, message = json.decode(text)
  return json.encode(value) or message
end

local texts = { "", "a b", "é", "\\n", '\\"', "\\\\", "𝄞", "\\u0001" }

-- JSON text of nested lists, objects and every kind of scalar; the same for the same seed.
local function sample(seed, depth)
  local function pick(n)
    seed = (seed * 6364136223846793005 + 1442695040888963407)
    return (seed >> 33) % n
  end
  local function value(left)
    local kind = pick(left > 0 and 8 or 6)
    if kind == 0 then return "null" end
    if kind == 1 then return pick(2) == 0 and "true" or "false" end
    if kind == 2 then return ("%d"):format((pick(1 << 31) << 31 | pick(1 << 31)) * (pick(2) * 2 - 1)) end
    if kind == 3 then return ("%d.5"):format(pick(1000)) end
    if kind <= 5 then return ('"%s"'):format(texts[pick(#texts) + 1]) end
    local parts = {}
    for i = 1, pick(4) do parts[i] = kind == 6 and value(left - 1) or ('"k%d":%s'):format(i, value(left - 1)) end
    return (kind == 6 and "[%s]" or "{%s}"):format(table.concat(parts, ","))
  end
  return value(depth)
end

describe("json", function()
  describe("gives the same text back for", function()
    for _, text in ipairs({ "[]", "{}", "null", "true", "false", "0", "-1", '""', "[[]]", '{"a":[]}', '{"a":{}}',
      "[null]", "[null,1,null]", '{"a":null}', "9007199254740993", "9223372036854775807", "-9223372036854775808",
      "0.1", "1.0", "-0.0", "2.5", "1e+300", "4.94065645841247e-324", "1.7976931348623157e+308", '"é𝄞"', '"\\u0000"',
      '"\\b\\f\\n\\r\\t\\"\\\\"', '"/"', '{"":1}', '[1,2.5,"x",true,null,{},[]]' }) do
      it(text, function() assert.equal(text, again(text)) end)
    end

    it("five hundred made-up values", function()
      for seed = 1, 500 do
        local text = sample(seed, 6)
        assert.equal(text, again(text))
      end
    end)
  end)

  describe("refuses to read", function()
    for name, text in pairs({
      ["nothing"] = "", ["blanks"] = " \n", ["two values"] = "1 2", ["a comma too many"] = "[1,]",
      ["NaN"] = "[NaN]", ["Infinity"] = "Infinity", ["a number past the doubles"] = "1e400",
      ["an integer past 64 bits"] = "9223372036854775808", ["one below"] = "-9223372036854775809",
      ["hexadecimal"] = "[0x10]", ["leading zeros"] = "[01]", ["a lone high surrogate"] = '"\\ud800"',
      ["a lone low surrogate"] = '"\\udc00"', ["a high surrogate before a letter"] = '"\\ud800a"',
      ["duplicate keys"] = '{"a":1,"b":2,"a":3}', ["a raw control character"] = '"\n"', ["invalid UTF-8"] = '"\xff"',
      ["an overlong form"] = '"\xc0\xaf"', ["an encoded surrogate"] = '"\xed\xa0\x80"',
      ["a key with NUL"] = '{"\\u0000":1}',
      ["a comment"] = "/* */ 1", ["a cut list"] = "[1", ["a cut string"] = '"abc',
      ["a mark before it"] = "\xef\xbb\xbf1",
    }) do
      it(name, function()
        local value, message, code = json.decode(text)
        assert.is_nil(value)
        assert.is_string(message)
        assert.equal("INVALID", code)
      end)
    end
  end)

  it("says line and column of what it refuses, and does not repeat it", function()
    local _, message = json.decode('{"a":1,\n "password" "hunter2"}')
    assert.matches("line 2, column %d+", message)
    assert.not_matches("hunter2", message)
  end)

  it("reads -0 as the integer 0", function()
    assert.equal("integer", math.type(json.decode("-0")))
    assert.equal("0", again("-0"))
  end)

  it("reads integers as integers and other numbers as floats", function()
    assert.equal("integer", math.type(json.decode("3")))
    assert.equal("float", math.type(json.decode("3.0")))
    assert.equal("float", math.type(json.decode("3e0")))
  end)

  it("joins surrogate pairs", function()
    assert.equal("𝄞", json.decode('"\\ud834\\udd1e"'))
  end)

  it("reads 64 levels and refuses 65", function()
    local function nested(n) return ("["):rep(n) .. ("]"):rep(n) end
    assert.equal(nested(64), again(nested(64)))
    local _, message, code = json.decode(nested(65))
    assert.matches("too deep", message)
    assert.equal("INVALID", code)
  end)

  it("does not count brackets in strings as levels", function()
    local text = '"\\"' .. ("["):rep(100) .. '"'
    assert.equal(text, again(text))
  end)

  it("refuses more than 16 MiB", function()
    local most = '"' .. ("x"):rep((16 << 20) - 2) .. '"'
    assert.equal(#most - 2, #json.decode(most))
    assert.equal("TOO_LARGE", select(3, json.decode(most .. " ")))
  end)

  it("raises when it is not given a string", function()
    for _, value in ipairs({ 1, true, {}, print }) do assert.has_error(function() json.decode(value) end) end
    assert.has_error(function() json.decode() end)
  end)

  describe("agrees with lua-cjson", function()
    local cjson = require("cjson").new()

    local function plain(value) -- our null, lists and integers seen as cjson sees them
      if value == json.null then return cjson.null end
      if type(value) == "number" then return value + 0.0 end
      if type(value) ~= "table" then return value end
      local copy = {}
      for key, item in pairs(value) do copy[key] = plain(item) end
      return copy
    end

    it("on five hundred made-up values of doubles", function()
      for seed = 501, 1000 do
        local text = sample(seed, 5):gsub("%d%d%d%d%d%d%d%d%d%d%d%d%d+", "12")
        assert.same(cjson.decode("[" .. text .. "]"), plain(json.decode("[" .. text .. "]")))
      end
    end)
  end)
end)

describe("json.encode", function()
  it("writes keys in the order of their bytes", function()
    local text = '{"":0,"B":1,"a":2,"aa":3,"b":4,"é":5}'
    assert.equal(text, json.encode({ b = 4, aa = 3, a = 2, B = 1, [""] = 0, ["é"] = 5 }))
  end)

  it("writes an untagged empty table as an object", function()
    assert.equal("{}", json.encode({}))
  end)

  it("writes an untagged table with the keys 1 to n as a list", function()
    assert.equal("[1,2,3]", json.encode({ 1, 2, 3 }))
  end)

  it("writes what has no string and must be seen as escapes", function()
    assert.equal('"\\u007f\\u009b\\u2028"', json.encode("\127\u{9b}\u{2028}"))
  end)

  it("writes the shortest text of a float", function()
    assert.equal("[0.1,0.30000000000000004,1e+22,5.0]", json.encode({ 0.1, 0.1 + 0.2, 1e22, 5.0 }))
  end)

  for name, value in pairs({
    ["NaN"] = 0 / 0, ["infinity"] = 1 / 0, ["minus infinity"] = -1 / 0, ["a function"] = print,
    ["a thread"] = coroutine.create(print),
    ["a file"] = io.stdout, ["holes"] = { 1, nil, 3 }, ["keys of both kinds"] = { 1, 2, a = 3 },
    ["a boolean key"] = { [true] = 1 },
    ["a float key"] = { [1.5] = 1 }, ["an index below one"] = { [0] = 1 }, ["invalid UTF-8"] = "\xff",
    ["an invalid key"] = { ["\xff"] = 1 }, ["a key with NUL"] = { ["a\0b"] = 1 },
    ["a tagged table with other keys"] = json.array({ a = 1 }),
    ["a tagged table with holes"] = json.array({ [2] = 1 }), ["NaN inside"] = { a = { 1, { b = 0 / 0 } } },
  }) do
    it("refuses " .. name, function()
      local text, message, code = json.encode(value)
      assert.is_nil(text)
      assert.is_string(message)
      assert.equal("INVALID", code)
    end)
  end

  it("says what is wrong with a list that has holes", function()
    assert.matches("neither a list", select(2, json.encode({ 1, nil, 3 })))
    assert.matches("neither a list", select(2, json.encode(json.array({ [2] = 1 }))))
  end)

  it("refuses a table that holds itself", function()
    local loop, list = {}, json.array()
    loop.again, list[1] = loop, list
    assert.matches("too deep", select(2, json.encode(loop)))
    assert.matches("too deep", select(2, json.encode(list)))
  end)

  it("writes 64 levels and refuses 65", function()
    local value = {}
    for _ = 2, 64 do value = { a = value } end
    assert.is_string(json.encode(value))
    assert.equal("INVALID", select(3, json.encode({ a = value })))
  end)

  it("refuses what sharing makes larger than any text", function()
    local value = { 1 }
    for _ = 1, 40 do value = { value, value } end
    assert.equal("TOO_LARGE", select(3, json.encode(value)))
  end)

  it("refuses more than 16 MiB", function()
    local half = ("x"):rep(8 << 20)
    assert.equal("TOO_LARGE", select(3, json.encode({ half, half, "x" })))
    assert.equal("TOO_LARGE", select(3, json.encode({ half, half })))
  end)

  it("calls no metamethods", function()
    local function trap() error("called") end
    local value = setmetatable({ a = 1 }, { __index = trap, __len = trap, __pairs = trap, __tostring = trap })
    assert.equal('{"a":1}', json.encode(value))
  end)

  it("leaves number keys of the table as they are", function()
    local value = { 1, 2, a = 3 }
    json.encode(value)
    assert.equal(1, value[1])
    assert.is_nil(value["1"])
  end)

  it("raises without a value", function()
    assert.has_error(function() json.encode() end)
    assert.equal("INVALID", select(3, json.encode(nil)))
  end)
end)

describe("json.array", function()
  it("makes an empty list", function()
    assert.equal("[]", json.encode(json.array()))
  end)

  it("tags the table it is given and returns it", function()
    local t = {}
    assert.equal(t, json.array(t))
    assert.is_true(json.is_array(t))
  end)

  it("is what decode gives to lists only", function()
    assert.is_true(json.is_array(json.decode("[]")))
    assert.is_false(json.is_array(json.decode("{}")))
    assert.is_false(json.is_array({ 1 }))
    assert.is_false(json.is_array(json.null))
    assert.is_false(json.is_array("x"))
  end)

  it("refuses a table that has a metatable of its own", function()
    assert.has_error(function() json.array(setmetatable({}, {})) end)
    assert.has_no_error(function() json.array(json.array()) end)
  end)
end)
