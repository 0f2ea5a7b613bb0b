--- What the pages show can be used as it stands there.

local T = require("T")
local library = require("spec.support.library")
local lib = require("scripts.library")
local script = require("script")
local tree = require("spec.tools.tree")

--- The whole scripts among the Lua blocks of a page.
local function scripts_of(page)
  local out = {}
  for block in tree.text("lua/scripts/" .. page):gmatch("```lua\n(.-)```") do
    if block:find("\nreturn %w+\n$") then out[#out + 1] = block end
  end
  return out
end

describe("the pages of scripts", function()
  setup(function() T.log_to("/dev/null") end)

  teardown(function()
    library.clean()
    script.setup({})
    T.log_to()
  end)

  for page, path in pairs({ ["README.md"] = "checks/burn.lua", ["policies.md"] = "policies/careful.lua" }) do
    it("show a script that is taken: " .. page, function()
      local dir, found = library.folder(), scripts_of(page)
      assert.equal(1, #found)
      library.write(dir, path, found[1])
      local log = { info = function() end, error = function() end }
      local shelf = lib.new({ host = { script = script, log = log }, folders = { dir } })
      T.run(function() shelf:load() end)
      assert.same({}, shelf.broken)
      assert.is_table(shelf.good[(path:gsub("/", "."):gsub("%.lua$", ""))])
    end)
  end

  it("show the messages that there are", function()
    local dir = library.folder()
    library.write(dir, "checks/burn.lua", ("\n"):rep(11) .. "prom.qeury()")
    local log = { info = function() end, error = function() end }
    local shelf = lib.new({ host = { script = script, log = log }, folders = { dir } })
    T.run(function() shelf:load() end)
    assert.equal("checks/burn.lua:12: prom is not granted: expected it in the header's grants",
      (select(2, shelf:find("check", "burn"))))
  end)

  it("are linked to each other", function()
    local text = tree.text("lua/scripts/README.md")
    for _, page in ipairs({ "checks.md", "routers.md", "notify.md", "policies.md", "reference.md" }) do
      assert.is_truthy(text:find(page, 1, true), page)
      assert.is_true(tree.exists("lua/scripts/" .. page))
    end
  end)
end)
