local sandbox = require("cli.sandbox")

describe("the arguments of serin sandbox", function()
  for text, wanted in pairs({
    [""] = { 0, 1, 100, 0 }, ["-port=8001 -speed 2.5"] = { 8001, 2.5, 100, 0 },
    ["a.yaml --rate 0 b.yaml"] = { 0, 1, 0, 2 },
  }) do
    it(("may be %q"):format(text), function()
      local args = {}
      for word in text:gmatch("%S+") do args[#args + 1] = word end
      local options = sandbox.parse(args)
      assert.same(wanted, { options.port, options.speed, options.rate, #options.files })
    end)
  end

  for _, args in ipairs({ { "-nope" }, { "-port", "x" }, { "-port", "70000" }, { "-port", "1.5" }, { "-speed=0" },
    { "-rate" }, { "-kubeconfig" }, { "-port=" } }) do
    it("are refused with usage and exit code 2 when they are " .. table.concat(args, " "), function()
      local text = ""
      local streams = { err = { write = function(_, ...) text = text .. table.concat({ ... }) end } }
      assert.equal(2, sandbox.run(args, streams))
      assert.truthy(text:find("^serin sandbox: [^\n]+\nusage: serin sandbox"))
    end)
  end

  it("may ask for the usage", function()
    local text = ""
    local streams = { out = { write = function(_, ...) text = text .. table.concat({ ... }) end } }
    assert.equal(0, sandbox.run({ "-help" }, streams))
    assert.truthy(text:find("^usage: serin sandbox"))
  end)
end)
