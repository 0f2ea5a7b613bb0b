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
end)
