local json = require("json")
local object = require("util.object")
local routing = require("spec.support.routing")

describe("util.object", function()
  describe("patch", function()
    it("names only what differs", function()
      assert.same({ b = { d = 4 } }, object.patch({ a = 1, b = { c = 2, d = 3 } }, { a = 1, b = { c = 2, d = 4 } }))
    end)

    it("is nil when nothing differs, also for equal lists", function()
      assert.is_nil(object.patch({ a = json.array({ 1, { x = 2 } }), b = 1 }, { a = json.array({ 1, { x = 2 } }) }))
    end)

    it("leaves fields that are not named", function()
      assert.is_nil(object.patch({ a = 1, other = { 1 } }, { a = 1 }))
    end)

    it("removes what is named as absent, and only if it is there", function()
      assert.same({ a = json.null }, object.patch({ a = 1 }, { a = json.null, b = json.null }))
      assert.is_nil(object.patch({}, { b = json.null }))
    end)

    it("replaces lists as a whole", function()
      assert.same({ a = { 1, 3 } }, object.patch({ a = json.array({ 1, 2 }) }, { a = json.array({ 1, 3 }) }))
      assert.same({ a = { 1 } }, object.patch({ a = json.array({ 1, 2 }) }, { a = json.array({ 1 }) }))
    end)

    it("keeps an empty list a list", function()
      assert.equal('{"a":[]}', json.encode(object.patch({ a = json.array({ 1 }) }, { a = json.array() })))
    end)

    it("has no nulls in what it adds", function()
      assert.same({ a = { b = 1 } }, object.patch({}, { a = { b = 1, c = json.null } }))
      assert.same({ a = { b = 1 } }, object.patch({ a = "text" }, { a = { b = 1, c = json.null } }))
    end)

    it("shares nothing with what it was made from", function()
      local want = { a = { b = { 1 } } }
      object.patch({}, want).a.b[1] = 2
      assert.equal(1, want.a.b[1])
    end)
  end)

  describe("merged", function()
    it("follows the examples of RFC 7386", function()
      local cases = {
        { '{"a":"b"}', '{"a":"c"}', '{"a":"c"}' },
        { '{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}' },
        { '{"a":"b"}', '{"a":null}', '{}' },
        { '{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}' },
        { '{"a":["b"]}', '{"a":"c"}', '{"a":"c"}' },
        { '{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}' },
        { '{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}' },
        { '{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}' },
        { '["a","b"]', '["c","d"]', '["c","d"]' },
        { '{"a":"b"}', '["c"]', '["c"]' },
        { '["a","b"]', '{"a":"b","c":null}', '{"a":"b"}' },
        { '{"e":null}', '{"a":1}', '{"a":1,"e":null}' },
        { '{}', '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}' },
      }
      for _, case in ipairs(cases) do
        assert.equal(case[3], json.encode(object.merged(json.decode(case[1]), json.decode(case[2]))))
      end
    end)

    it("does not write to its input", function()
      local have = { a = { b = 1 } }
      object.merged(have, { a = { b = 2, c = 3 } })
      assert.same({ a = { b = 1 } }, have)
    end)
  end)

  it("patches to what was wanted, for any two objects", function()
    local random = routing.random(7)
    local function value(depth)
      local kind = random.upto(depth > 0 and 4 or 2)
      if kind == 1 then return random.upto(3) end
      if kind == 2 then return random.one_of({ "x", true, false }) end
      local out = kind == 3 and json.array() or {}
      for index = 1, random.upto(3) - 1 do
        out[kind == 3 and index or random.one_of({ "a", "b", "c" })] = value(depth - 1)
      end
      return out
    end
    for _ = 1, 2000 do
      local have, want = { s = value(3) }, { s = value(3) }
      local patch = object.patch(have, object.goal(have, want))
      assert.is_true(object.equal(want, patch and object.merged(have, patch) or have))
    end
  end)

  it("applies creations, patches and deletions by key", function()
    local seen = { a = { x = 1 }, b = { x = 1 } }
    local after = object.apply(seen, { { key = "a", merge = { x = 2 } }, { key = "b", delete = true },
      object.create("c", { x = 3, y = json.null }) })
    assert.same({ a = { x = 2 }, c = { x = 3 } }, after)
    assert.same({ a = { x = 1 }, b = { x = 1 } }, seen)
  end)

  it("overlays what is ours on what is not", function()
    assert.same({ ours = 2, theirs = 1 }, object.overlay({ ours = 1, theirs = 1, gone = 1 }, { ours = 2 },
      { ours = true, gone = true }))
    assert.same({ ours = 2 }, object.overlay(nil, { ours = 2 }, { ours = true }))
  end)

  it("finds values below, or nil", function()
    assert.equal(1, object.at({ a = { b = 1 } }, "a", "b"))
    assert.is_nil(object.at({ a = 1 }, "a", "b"))
    assert.is_nil(object.at(nil, "a"))
  end)

  it("takes an empty map for none", function()
    assert.is_nil(object.some({}))
    assert.is_nil(object.some(nil))
    assert.same({ a = 1 }, object.some({ a = 1 }))
  end)
end)
