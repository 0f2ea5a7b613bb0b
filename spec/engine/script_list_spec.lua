--- script.list: what is in a folder.
local lfs = require("lfs")
local script = require("script")

describe("script.list", function()
  local folder

  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    lfs.mkdir(folder)
  end)

  after_each(function() os.execute(("rm -r '%s'"):format(folder)) end)

  local function write(name, text)
    local file <close> = assert(io.open(folder .. "/" .. name, "wb"))
    file:write(text)
  end

  it("gives name, size and time, sorted by name", function()
    write("b.lua", "12345")
    write("a.lua", "")
    lfs.touch(folder .. "/b.lua", 1000)
    local list = assert(script.list(folder))
    assert.same({ "a.lua", "b.lua" }, { list[1].name, list[2].name })
    assert.same({ 5, 1000.0, false }, { list[2].size, list[2].changed, list[2].folder })
  end)

  it("tells folders from files", function()
    lfs.mkdir(folder .. "/checks")
    assert.is_true(script.list(folder)[1].folder)
  end)

  it("looks behind symbolic links, and leaves out those that lead nowhere", function()
    write("a", "123")
    lfs.link(folder .. "/a", folder .. "/b", true)
    lfs.link(folder .. "/none", folder .. "/c", true)
    local list = script.list(folder)
    assert.same({ 2, "b", 3 }, { #list, list[2].name, list[2].size })
  end)

  it("gives an empty list for an empty folder", function() assert.same({}, script.list(folder)) end)

  it("says what is wrong with one that is none", function()
    assert.same({ nil, folder .. "/none: no such file or directory", "NOT_FOUND" },
      { script.list(folder .. "/none") })
    write("a", "")
    assert.equal("INVALID", (select(3, script.list(folder .. "/a"))))
  end)

  it("reads at most 1000 entries", function()
    for index = 1, 1001 do write(tostring(index), "") end
    local list, message, code = script.list(folder)
    assert.same({ nil, folder .. ": 1001 entries, at most 1000 are read", "TOO_LARGE" }, { list, message, code })
    os.remove(folder .. "/1001")
    assert.equal(1000, #script.list(folder))
  end)

  it("checks its argument", function()
    assert.has_error(function() script.list() end)
    assert.has_error(function() script.list(("x"):rep(2000)) end)
  end)
end)
