local json = require("json")
local list = require("util.list")

describe("util.list", function()
  it("tags every list it makes", function()
    for _, made in ipairs({ list.map({}, print), list.filter({}, print), list.join({}, {}), list.keys({}) }) do
      assert.equal("[]", json.encode(made))
    end
  end)

  it("maps with the place", function()
    assert.same({ "a1", "b2" }, list.map({ "a", "b" }, function(item, index) return item .. index end))
  end)

  it("filters and finds", function()
    local function odd(n) return n % 2 == 1 end
    assert.same({ 1, 3 }, list.filter({ 1, 2, 3 }, odd))
    assert.same({ 3, 2 }, { list.find({ 2, 3, 5 }, odd) })
    assert.is_nil((list.find({ 2 }, odd)))
  end)

  it("joins in order", function()
    assert.same({ 1, 2, 3 }, list.join({ 1 }, {}, { 2, 3 }))
  end)

  it("sorts keys", function()
    assert.same({ "a", "b", "c" }, list.keys({ c = 1, a = 1, b = 1 }))
  end)

  it("knows what it contains", function()
    assert.is_true(list.contains({ "a", "b" }, "b"))
    assert.is_false(list.contains({ "a" }, "b"))
    assert.same({ a = true, b = true }, list.set({ "a", "b" }))
  end)
end)
