--- policies/README.md says of each policy what its file says.

local params = require("util.params")
local policies = require("canary.policies")
local yaml = require("yaml")

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

local function section(name)
  return read("policies/README.md"):match("\n## " .. name .. "\n(.-)\n## ")
    or read("policies/README.md"):match("\n## " .. name .. "\n(.*)$")
end

local function shown(value)
  return type(value) == "number" and ("%g"):format(value) or type(value) == "string" and "`" .. value .. "`" or "[]"
end

describe("policies/README.md", function()
  for _, name in ipairs(policies.SHIPPED) do
    local module, text = require("policies." .. name), section(name)

    it("has the parameters of " .. name .. " and their defaults", function()
      for field, rule in pairs(module.params) do
        local mark = rule.of and rule.of.fields and field .. "%[%]%." or field
        local row = text:match("\n(|[^\n|]*`" .. mark .. "[^\n]*)") or text:match("\n(|[^\n|]*`" .. field .. "`[^\n]*)")
        assert.truthy(row, field)
        local plain = type(rule.default) ~= "table" and rule.default ~= nil
        if plain then assert.truthy(row:find(shown(rule.default), 1, true), ("%s: %s"):format(field, row)) end
      end
    end)

    it("has an example of " .. name .. " that is well-formed", function()
      local example = assert(yaml.decode(text:match("```yaml\n(policy:.-)```")))[1].policy
      assert.equal(name, example.name)
      local given = assert(params.read(module.params, example.params, "params"))
      assert.is_nil(module.check and module.check(given, "params"))
    end)
  end
end)
