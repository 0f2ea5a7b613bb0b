local decision = require("canary.decision")

describe("canary.decision", function()
  local function answer(more)
    local out = { action = "hold", reason = "wait" }
    for key, value in pairs(more) do out[key] = value end
    return out
  end

  it("takes what is well-formed", function()
    for _, good in ipairs({
      answer({}), answer({ action = "shift", weight = 0 }), answer({ action = "shift", weight = 100, after = 5 }),
      answer({ action = "pause", approval = "qa" }),
      answer({ action = "shift", routes = { primary = 70, canary = 30, mirrored = false } }),
      answer({ evidence = { { name = "a", verdict = "fail", rule = "r", value = "v" } } }),
      answer({ evidence = { { name = "b", verdict = "pass" } } }),
      answer({ state = { a = { 1, 2 } } }),
    }) do
      assert.equal(good, decision.check(good))
    end
  end)

  it("names the field that is not", function()
    for message, more in pairs({
      ["action: expected one of hold, shift, iterate, promote, rollback, pause, found promot (did you mean promote?)"] =
        { action = "promot" },
      ["reason: expected a text of 1 to 1024 bytes, found one of 0"] = { reason = "" },
      ["weight: expected a whole number from 0 to 100, found 101"] = { weight = 101 },
      ["weight: expected a whole number from 0 to 100, found inf"] = { weight = math.huge },
      ["weight: expected a whole number from 0 to 100, found 2.5"] = { action = "shift", weight = 2.5 },
      ["match: expected none, as spec.analysis.match says who gets the canary, found one"] = { match = { {} } },
      ["weight: expected a whole number from 0 to 100 for a shift, found none"] = { action = "shift" },
      ["wieght: expected a field of a decision (did you mean weight?)"] = { wieght = 3 },
      ["after: expected a number >= 0, found -1"] = { after = -1 },
      ["routes: expected a sum of 100, found 90"] = { routes = { primary = 60, canary = 30 } },
      ["routes.canary: expected a whole number from 0 to 100, found none"] = { routes = { primary = 100 } },
      ["evidence[0].verdict: expected one of pass, fail, inconclusive, nodata, error, found ok"] =
        { evidence = { { name = "a", verdict = "ok" } } },
      ["evidence[0].rule: expected a text of 1 to 1024 bytes, found nothing"] =
        { evidence = { { name = "a", verdict = "fail" } } },
      ["evidence: expected a list of at most 64 entries"] = { evidence = { name = "a" } },
      ["state: expected an object, found string"] = { state = "x" },
      ["state: expected at most 8192 bytes, found 9008"] = { state = { a = ("x"):rep(9000) } },
    }) do
      assert.same({ nil, message }, { (decision.check(answer(more))), (select(2, decision.check(answer(more)))) })
    end
  end)

  it("takes hundredths of a percent for a route that carries them", function()
    assert.equal(2.25, assert(decision.check(answer({ action = "shift", weight = 2.25 }), true)).weight)
    local routes = { primary = 99.93, canary = 0.07, mirrored = false }
    assert.same(routes, assert(decision.check(answer({ action = "shift", routes = routes }), true)).routes)
    assert.equal("integer", math.type(decision.check(answer({ action = "shift", weight = 5.0 }), true).weight))
    for message, more in pairs({
      ["weight: expected a number of at most two decimals from 0 to 100, found 2.125"] =
        { action = "shift", weight = 2.125 },
      ["routes: expected a sum of 100, found 99.99"] = { routes = { primary = 60.5, canary = 39.49 } },
    }) do
      assert.equal(message, select(2, decision.check(answer(more), true)))
    end
  end)

  it("takes only what can be stored", function()
    assert.is_truthy(select(2, decision.check(answer({ state = { a = math.huge } }))):find("^state: "))
    assert.is_truthy(select(2, decision.check(answer({ state = { a = print } }))):find("^state: "))
  end)

  it("takes only an object", function()
    assert.same({ nil, "decision: expected an object, found nil" }, { decision.check(nil) })
  end)
end)
