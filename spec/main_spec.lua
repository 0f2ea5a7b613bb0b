local lfs = require("lfs")
local main = require("main")

local function call(...)
  local out, err = "", ""
  local code = main.cli({ ... }, {
    out = { write = function(_, ...) out = out .. table.concat({ ... }) end },
    err = { write = function(_, ...) err = err .. table.concat({ ... }) end },
  })
  return code, out, err
end

describe("main.cli", function()
  it("prints its usage as an error without a command", function()
    local code, out, err = call()
    assert.same({ 2, "", main.usage() }, { code, out, err })
  end)

  for _, word in ipairs({ "help", "--help" }) do
    it("prints its usage on demand: " .. word, function()
      local code, out, err = call(word)
      assert.same({ 0, main.usage(), "" }, { code, out, err })
    end)
  end

  it("lists a command for every file it has, and no other", function()
    local usage = main.usage()
    for name in usage:gmatch("\n  (%l+)") do
      assert.truthy(name == "help" or lfs.attributes(("lua/cli/%s.lua"):format(name)), name)
    end
    for _, name in ipairs({ "run", "demo", "version", "help" }) do assert.matches("\n  " .. name, usage, 1, true) end
  end)

  it("names an unknown command and the nearest known one", function()
    local code, out, err = call("verison")
    assert.same({ 2, "" }, { code, out })
    assert.equal('serin: unknown command "verison" (did you mean version?)\n' .. main.usage(), err)
  end)

  it("does not take a file that is no command for one", function()
    local code, _, err = call("flags")
    assert.equal(2, code)
    assert.matches('^serin: unknown command "flags"', err)
  end)

  it("takes arguments that begin with a flag for those of run", function()
    local code, out = call("-help")
    assert.equal(0, code)
    assert.matches("^usage: serin run %[flags%]", out)
  end)

  it("keeps the first flag when no command is named", function()
    local code, _, err = call("-mesh-provider=istio", "-prot=1")
    assert.equal(2, code)
    assert.matches("^serin: unknown flag %-prot", err)
  end)

  it("hands what follows a command to it", function()
    local code, out = call("version", "--output", "json")
    assert.equal(0, code)
    assert.matches('^{"name":"serin"', out)
  end)
end)
