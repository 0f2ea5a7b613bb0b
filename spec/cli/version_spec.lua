local build = require("build")
local json = require("json")
local version = require("cli.version")

local function call(...)
  local out, err = "", ""
  local code = version.run({ ... }, {
    out = { write = function(_, text) out = out .. text end },
    err = { write = function(_, text) err = err .. text end },
  })
  return code, out, err
end

describe("cli.version", function()
  it("prints one line", function()
    local code, out = call()
    assert.same({ 0, ("Serin version %s revision %s\n"):format(build.version, build.revision) }, { code, out })
  end)

  for _, form in ipairs({ { "--output", "json" }, { "--output=json" }, { "-o", "json" } }) do
    it("prints JSON for " .. table.concat(form, " "), function()
      local code, out = call(table.unpack(form))
      assert.equal(0, code)
      assert.same({ name = "serin", version = build.version, revision = build.revision }, json.decode(out))
    end)
  end

  it("prints the line for --output text", function()
    assert.same({ call() }, { call("--output", "text") })
  end)

  it("ends with 2 when asked for another form", function()
    local code, out, err = call("--output", "yaml")
    assert.same({ 2, "" }, { code, out })
    assert.equal('serin version: expected --output text or --output json, found "--output yaml"\n', err)
  end)
end)
