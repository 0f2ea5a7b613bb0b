local zone = require("util.zone")

--- The offset that `date` of the system finds.
local function expected(name, seconds)
  local pipe = assert(io.popen(("TZ=%s date -d @%d +%%z"):format(name, seconds)))
  local sign, h, m = pipe:read("l"):match("^([+-])(%d%d)(%d%d)$")
  pipe:close()
  return (sign == "-" and -1 or 1) * (tonumber(h) * 3600 + tonumber(m) * 60)
end

describe("util.zone", function()
  it("knows what the system's own clock knows, before and after the table ends", function()
    for _, name in ipairs({ "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata",
      "America/Sao_Paulo",
      "Pacific/Auckland", "Africa/Casablanca" }) do
      local it = assert(zone.open(name))
      for _, seconds in ipairs({ 0, 1000000000, 1711846799, 1711846800, 1729990799, 1729990800, 1893456000, 2500000000,
        2515000000 }) do
        assert.equal(expected(name, seconds), it:offset(seconds), ("%s at %d"):format(name, seconds))
      end
    end
  end)

  it("has UTC without a database", function()
    assert.equal(0, assert(zone.open("UTC", "/nowhere/")):offset(1e9))
  end)

  it("opens zones and nothing else", function()
    for _, name in ipairs({ "", "Europe/Nowhere", "../../../etc/passwd", "/etc/passwd", "zone.tab", "Europe" }) do
      local found, message = zone.open(name)
      assert.is_nil(found, name)
      assert.is_string(message)
    end
  end)

  it("takes damaged files for none", function()
    local path = os.tmpname()
    local source = assert(io.open("/usr/share/zoneinfo/Europe/Berlin", "rb"))
    local data = source:read("a")
    source:close()
    for cut = 0, #data - 1, 37 do
      local file = assert(io.open(path, "wb"))
      file:write(data:sub(1, cut))
      file:close()
      local ok = pcall(zone.open, path:match("[^/]+$"), path:match("^.*/"))
      assert.is_true(ok)
    end
    os.remove(path)
  end)
end)
