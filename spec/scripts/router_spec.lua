local grants = require("scripts.grants")
local json = require("json")
local router = require("scripts.router")

local CANARY = { namespace = "demo", uid = "u-1" }
local GRANTS = grants.read({ "kube:v1/ConfigMap" })
local REFS = { a = { apiVersion = "v1", kind = "ConfigMap", name = "x", namespace = "demo" } }

local function seen(owner)
  return { a = { apiVersion = "v1", kind = "ConfigMap", metadata = { name = "x", namespace = "demo",
    ownerReferences = owner and { { uid = owner, controller = true } } } } }
end

local function body(change)
  local out = { apiVersion = "v1", kind = "ConfigMap", metadata = { name = "x" } }
  for key, value in pairs(change or {}) do out[key] = value end
  return out
end

--- What is wrong with one patch; nil when nothing is.
local function patch(one, have) return (select(2, router.patches("shift", { one }, REFS, have or {}, CANARY))) end

describe("scripts.router", function()
  describe("routes", function()
    it("are whole percents that sum to 100", function()
      assert.same({ primary = 70, canary = 30, mirrored = false }, router.routes({ primary = 70.0, canary = 30 }))
      assert.equal("routes: expected weights that sum to 100, found 99",
        (select(2, router.routes({ primary = 70, canary = 29 }))))
      assert.equal("routes.canary: expected an integer from 0 to 100, found 29.5",
        (select(2, router.routes({ primary = 70, canary = 29.5 }))))
      assert.equal("routes.primary: expected an integer from 0 to 100, found 101",
        (select(2, router.routes({ primary = 101, canary = -1 }))))
      assert.matches("found \"no\"", (select(2, router.routes("no"))))
    end)
  end)

  it("asks accepted for true, or false and why", function()
    assert.is_true(router.accepted(true))
    assert.same({ nil, "no listener" }, { router.accepted(false, "no listener") })
    assert.equal("the route is not in force yet", (select(2, router.accepted(false))))
    assert.equal("accepted: expected true or false, found 1", (select(2, router.accepted(1))))
  end)

  it("asks unfit for a text, or nothing", function()
    assert.equal("no mirrors", (select(2, router.unfit("no mirrors"))))
    assert.equal("unfit: expected nothing, or a text, found false", (select(2, router.unfit(false))))
  end)

  describe("reads", function()
    local function wrong(ref) return (select(2, router.reads({ a = ref }, CANARY, GRANTS))) end

    it("are whole references, their namespace filled in", function()
      assert.same(REFS, router.reads({ a = { apiVersion = "v1", kind = "ConfigMap", name = "x" } }, CANARY, GRANTS))
    end)

    it("say what is missing or misspelt", function()
      assert.equal("reads.a.name: expected a text, found nothing", wrong({ apiVersion = "v1", kind = "ConfigMap" }))
      assert.equal('reads.a: expected a known field, found "names" (did you mean name?)', wrong({ names = "x" }))
      assert.equal("reads.a.optional: expected true or false, found 1",
        wrong({ apiVersion = "v1", kind = "ConfigMap", name = "x", optional = 1 }))
    end)

    it("are at most 8", function()
      local many = {}
      for index = 1, 9 do many["k" .. index] = { apiVersion = "v1", kind = "ConfigMap", name = "x" .. index } end
      assert.equal("reads: expected at most 8 references, found 9", (select(2, router.reads(many, CANARY, GRANTS))))
      many.k9 = nil
      assert.is_table(router.reads(many, CANARY, GRANTS))
    end)
  end)

  describe("patches", function()
    it("create what is not there, as it was read", function()
      assert.is_nil(patch({ key = "a", create = body() }))
      assert.matches("expected a merge, as it is there already", patch({ key = "a", create = body() }, seen()))
      assert.matches('create.kind: expected "ConfigMap", as read',
        patch({ key = "a", create = body({ kind = "Pod" }) }))
      assert.matches("create.metadata.namespace: expected \"demo\"",
        patch({ key = "a", create = body({ metadata = { name = "x", namespace = "y" } }) }))
      assert.matches("create.metadata: expected a known field",
        patch({ key = "a", create = body({ metadata = { name = "x", uid = "y" } }) }))
    end)

    it("merge into what is there, without what is the engine's and the server's", function()
      assert.is_nil(patch({ key = "a", merge = { data = { k = "v" } } }, seen()))
      assert.is_nil(patch({ key = "a", merge = { metadata = { labels = { k = "v" } } } }, seen()))
      assert.matches("expected a create, as it is not there", patch({ key = "a", merge = {} }))
      for _, field in ipairs({ "apiVersion", "kind", "status" }) do
        assert.matches(("merge.%s: expected nothing"):format(field),
          patch({ key = "a", merge = { [field] = "x" } }, seen()))
      end
      for _, field in ipairs({ "name", "namespace", "finalizers", "ownerReferences", "resourceVersion" }) do
        assert.matches("merge.metadata: expected a known field",
          patch({ key = "a", merge = { metadata = { [field] = "x" } } }, seen()))
      end
    end)

    it("delete what this Canary owns, and nothing else", function()
      assert.is_nil(patch({ key = "a", delete = true }, seen("u-1")))
      assert.matches("expected an object that this Canary owns", patch({ key = "a", delete = true }, seen("u-2")))
      assert.matches("expected an object that this Canary owns", patch({ key = "a", delete = true }, seen()))
      assert.matches("expected an object that this Canary owns", patch({ key = "a", delete = true }))
    end)

    it("do one thing each", function()
      assert.equal("shift[1]: expected one of create, merge and delete, found 0", patch({ key = "a" }))
      assert.equal("shift[1]: expected one of create, merge and delete, found 2",
        patch({ key = "a", merge = {}, delete = true }, seen("u-1")))
      assert.equal('shift[1]: expected a known field, found "craete" (did you mean create?)',
        patch({ key = "a", craete = {} }))
    end)

    it("are a list of at most 16", function()
      local list = json.array()
      for index = 1, 17 do list[index] = { key = "a", merge = {} } end
      assert.equal("shift: expected at most 16 patches, found 17",
        (select(2, router.patches("shift", list, REFS, seen(), CANARY))))
      assert.equal("shift: expected a list of patches, found a table",
        (select(2, router.patches("shift", { a = 1 }, REFS, seen(), CANARY))))
      assert.same({}, router.patches("shift", {}, REFS, seen(), CANARY))
    end)
  end)
end)
