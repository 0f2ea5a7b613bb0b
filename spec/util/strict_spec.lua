local strict = require("util.strict")

describe("util.strict", function()
  it("lets known globals be read and written", function()
    local env = strict.on({ a = 1 })
    env.a = env.a + 1
    assert.equal(2, env.a)
  end)

  it("names a global that is not there", function()
    local env = strict.on({})
    assert.error_matches(function() return env.missing end, "no such global: missing")
    assert.error_matches(function() env.missing = 1 end, "new global: missing")
  end)
end)
