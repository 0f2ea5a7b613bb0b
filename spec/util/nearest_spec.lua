local nearest = require("util.nearest")

describe("util.nearest", function()
  for word, meant in pairs({ qurey = "query", vectro = "vector", querry = "query", qury = "query", Query = "query" }) do
    it("takes " .. word .. " for " .. meant, function()
      assert.equal(meant, nearest.of(word, { "query", "vector" }))
    end)
  end

  it("counts two letters that changed places as one slip", function()
    assert.equal("shift", nearest.of("shfit", { hold = true, shift = true }))
    assert.equal("most", nearest.of("mots", { most = true, least = true }))
    assert.equal("weighted", nearest.of("weigthed", { "weighted", "matches" }))
  end)

  it("takes nothing for what is too far from it", function()
    assert.is_nil(nearest.of("rate", { "query", "vector" }))
    assert.is_nil(nearest.of("", { "query" }))
    assert.is_nil(nearest.of("x", {}))
  end)
end)
