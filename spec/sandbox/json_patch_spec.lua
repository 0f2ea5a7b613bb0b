local json = require("json")
local json_patch = require("sandbox.json_patch")

local function apply(text, patch)
  local object, message, code = json_patch.apply(assert(json.decode(text)), assert(json.decode(patch)))
  return object and json.encode(object), message, code
end

describe("sandbox.json_patch", function()
  for what, case in pairs({
    ["adds a member"] = { '{"a":1}', '[{"op":"add","path":"/b","value":[]}]', '{"a":1,"b":[]}' },
    ["adds over a member"] = { '{"a":1}', '[{"op":"add","path":"/a","value":2}]', '{"a":2}' },
    ["adds an element"] = { '{"a":[1,3]}', '[{"op":"add","path":"/a/1","value":2}]', '{"a":[1,2,3]}' },
    ["adds at the end of a list"] = { '{"a":[1]}', '[{"op":"add","path":"/a/-","value":2}]', '{"a":[1,2]}' },
    ["adds right behind the last element"] = { '{"a":[1]}', '[{"op":"add","path":"/a/1","value":2}]', '{"a":[1,2]}' },
    ["removes a member"] = { '{"a":1,"b":2}', '[{"op":"remove","path":"/a"}]', '{"b":2}' },
    ["removes an element"] = { '{"a":[1,2]}', '[{"op":"remove","path":"/a/0"}]', '{"a":[2]}' },
    ["replaces"] = { '{"a":{"b":1}}', '[{"op":"replace","path":"/a/b","value":null}]', '{"a":{"b":null}}' },
    ["replaces the last element"] = { '{"a":[1,2]}', '[{"op":"replace","path":"/a/1","value":3}]', '{"a":[1,3]}' },
    ["copies"] = { '{"a":{"x":1}}', '[{"op":"copy","from":"/a","path":"/b"}]', '{"a":{"x":1},"b":{"x":1}}' },
    ["moves"] = { '{"a":{"x":1}}', '[{"op":"move","from":"/a","path":"/b"}]', '{"b":{"x":1}}' },
    ["tests and goes on"] = { '{"a":[1]}', '[{"op":"test","path":"/a","value":[1]},{"op":"remove","path":"/a"}]',
      "{}" },
    ["reads escaped names"] = { '{"a/b":1,"c~d":2}', '[{"op":"remove","path":"/a~1b"},{"op":"remove","path":"/c~0d"}]',
      "{}" },
  }) do
    it(what, function() assert.equal(case[3], (apply(case[1], case[2]))) end)
  end

  for what, patch in pairs({
    ["a test that fails"] = '[{"op":"test","path":"/a","value":2}]',
    ["to remove what is not there"] = '[{"op":"remove","path":"/x"}]',
    ["to replace what is not there"] = '[{"op":"replace","path":"/x","value":1}]',
    ["to add below what is not there"] = '[{"op":"add","path":"/x/y","value":1}]',
    ["to add right behind a list's end and one more"] = '[{"op":"add","path":"/l/1","value":1}]',
    ["to add far behind a list's end"] = '[{"op":"add","path":"/l/5","value":1}]',
    ["to add at no position of a list"] = '[{"op":"add","path":"/l/x","value":1}]',
    ["to add nothing"] = '[{"op":"add","path":"/b"}]',
    ["to go below a number"] = '[{"op":"add","path":"/a/b","value":1}]',
    ["to copy what is not there"] = '[{"op":"copy","from":"/x","path":"/b"}]',
    ["a path that is none"] = '[{"op":"remove","path":"a"}]',
    ["a path that is a number"] = '[{"op":"remove","path":5}]',
    ["to replace everything"] = '[{"op":"replace","path":"","value":5}]',
    ["no path"] = '[{"op":"remove"}]',
  }) do
    it("refuses " .. what, function()
      local _, message, code = apply('{"a":1,"l":[]}', patch)
      assert.equal("INVALID", code)
      assert.truthy(message:find("operation 0", 1, true))
    end)
  end

  for _, patch in ipairs({ '[{"op":"brew","path":"/a"}]', "[5]", "[null]", "[[]]", '[{"path":"/a"}]' }) do
    it("does not know the operation in " .. patch, function()
      assert.equal("BAD_REQUEST", (select(3, apply("{}", patch))))
    end)
  end
end)
