local scan = require("scripts.scan")

describe("scripts.scan", function()
  for source, names in pairs({
    ['local a = require("a.b")'] = { "a.b" },
    ["local a, b = require 'a', require('b')"] = { "a", "b" },
    ['require("a") require("a")'] = { "a" },
    ['-- require("a")\nrequire("b")'] = { "b" },
    ['--[[ require("a")\n]] require("b")'] = { "b" },
    ['--[==[ ]] require("a") ]==] require("b")'] = { "b" },
    ["local s = [[ require('a') ]]"] = {},
    ["local s = \"require('a')\" .. '\\' require(\"b\")'"] = {},
    ["x.require('a') y:require('b')"] = {},
    ["local requirement = f('a')"] = {},
    ["require(name)"] = {},
    ["require ( 'a' )"] = { "a" },
    ["require"] = {},
    ["'unfinished"] = {},
    ["[==[ unfinished"] = {},
  }) do
    it("finds " .. #names .. " in: " .. source:gsub("\n", " "), function()
      assert.same(names, scan.requires(source))
    end)
  end

  for source, line in pairs({
    ["return {}"] = 1,
    ["local function f()\n  return 1\nend\n\nreturn { f }"] = 5,
    ["return {\n  f = function()\n    if x then return 1 elseif y then return 2 end\n    return 3\n  end }"] = 1,
    ["while x do\n  repeat local y until y\nend for a in b do end\n-- return\nlocal s = 'return'\nreturn s"] = 6,
  }) do
    it("finds line " .. line .. " where it returns: " .. source:gsub("\n", " "), function()
      assert.equal(line, scan.returned(source))
    end)
  end

  it("finds no such line in what returns nothing", function() assert.is_nil(scan.returned("local a = 1")) end)
end)
