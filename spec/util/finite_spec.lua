local finite = require("util.finite")
local json = require("json")

local INF, NAN = math.huge, 0 / 0

describe("util.finite", function()
  it("packs what JSON has no words for, and unpacks it as it was", function()
    local value = { a = INF, b = json.array({ -INF, 1, 2.5 }), c = { d = "x", e = true, f = json.null },
      g = json.array() }
    local text = assert(json.encode(finite.pack(value)))
    assert.same(value, finite.unpack(json.decode(text)))
    local back = finite.unpack(json.decode(json.encode(finite.pack({ n = NAN }))))
    assert.is_true(back.n ~= back.n)
    assert.is_true(json.is_array(finite.unpack(json.decode(text)).g))
  end)

  it("bounds values so that JSON can hold them", function()
    assert.same({ a = 1.7976931348623157e308, b = json.array({ -1.7976931348623157e308 }), c = json.null, ["1"] = "x",
      k = 1 }, finite.bounded({ a = INF, b = { -INF }, c = NAN, [1] = "x", k = 1 }))
    assert.is_true(json.is_array(finite.bounded(json.array())))
    assert.is_true(json.is_array(finite.bounded({ 1, 2 })))
    for _, value in ipairs({ { 1, nil, 3 }, { [true] = 1 }, { INF, { NAN } } }) do
      assert.is_string(json.encode(finite.bounded(value)))
    end
  end)
end)
