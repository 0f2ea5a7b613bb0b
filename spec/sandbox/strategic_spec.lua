local json = require("json")
local strategic = require("sandbox.strategic")

local function merged(text, patch)
  return json.encode(strategic.merged(assert(json.decode(text)), assert(json.decode(patch))))
end

describe("sandbox.strategic", function()
  for what, case in pairs({
    ["merges objects"] = { '{"a":{"x":1}}', '{"a":{"y":2}}', '{"a":{"x":1,"y":2}}' },
    ["removes what is null"] = { '{"a":1,"b":2}', '{"a":null}', '{"b":2}' },
    ["merges elements of a known list by their key"] = {
      '{"containers":[{"name":"a","image":"1"},{"name":"b","image":"1"}]}',
      '{"containers":[{"name":"b","image":"2"}]}',
      '{"containers":[{"image":"1","name":"a"},{"image":"2","name":"b"}]}' },
    ["appends an element with a new key"] = { '{"env":[{"name":"a"}]}', '{"env":[{"name":"b","value":"1"}]}',
      '{"env":[{"name":"a"},{"name":"b","value":"1"}]}' },
    ["makes a list that was not there"] = { "{}", '{"env":[{"name":"b","value":null}]}', '{"env":[{"name":"b"}]}' },
    ["takes out an element"] = { '{"env":[{"name":"a"},{"name":"b"}]}', '{"env":[{"name":"a","$patch":"delete"}]}',
      '{"env":[{"name":"b"}]}' },
    ["replaces a known list when told to"] = { '{"env":[{"name":"a"}]}',
      '{"env":[{"name":"b"},{"$patch":"replace"}]}', '{"env":[{"name":"b"}]}' },
    ["replaces other lists"] = { '{"args":["a"]}', '{"args":["b"]}', '{"args":["b"]}' },
    ["knows ports of containers"] = { '{"ports":[{"containerPort":1,"name":"a"}]}',
      '{"ports":[{"containerPort":1,"name":"b"}]}', '{"ports":[{"containerPort":1,"name":"b"}]}' },
    ["knows ports of Services"] = { '{"ports":[{"port":1,"name":"a"},{"port":2}]}', '{"ports":[{"port":1,"name":"b"}]}',
      '{"ports":[{"name":"b","port":1},{"port":2}]}' },
    ["adds to a set"] = { '{"finalizers":["a"]}', '{"finalizers":["a","b"]}', '{"finalizers":["a","b"]}' },
    ["takes out of a set"] = { '{"finalizers":["a","b"]}', '{"$deleteFromPrimitiveList/finalizers":["a"]}',
      '{"finalizers":["b"]}' },
    ["orders elements"] = { '{"env":[{"name":"a"},{"name":"b"}]}',
      '{"$setElementOrder/env":[{"name":"b"},{"name":"a"}]}', '{"env":[{"name":"b"},{"name":"a"}]}' },
    ["replaces an object when told to"] = { '{"a":{"x":1}}', '{"a":{"y":2,"$patch":"replace"}}', '{"a":{"y":2}}' },
    ["empties an object when told to"] = { '{"a":{"x":1}}', '{"a":{"$patch":"delete"}}', '{"a":{}}' },
    ["keeps the keys that it is told"] = { '{"s":{"type":"a","rolling":1}}',
      '{"s":{"$retainKeys":["type"],"type":"b"}}', '{"s":{"type":"b"}}' },
  }) do
    it(what, function() assert.equal(case[3], merged(case[1], case[2])) end)
  end

  for _, patch in ipairs({ '{"env":[1,null,[]]}', '{"env":{"x":1}}', '{"$setElementOrder/env":5}',
    '{"$deleteFromPrimitiveList/finalizers":{}}', '{"$retainKeys":5}', '{"$patch":5}', '{"$brew/env":[]}' }) do
    it("survives " .. patch, function()
      assert.is_string(merged('{"env":[{"name":"a"}],"finalizers":["a"]}', patch))
    end)
  end
end)
