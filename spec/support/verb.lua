--- A verb of the command line called in this process, with files of its own.

local T = require("T")

local verb = {}

local made = {}

--- A file with that text, and its path; `name` ends it.
function verb.file(text, name)
  local path = os.tmpname()
  os.remove(path)
  path = path .. (name or ".yaml")
  local file <close> = assert(io.open(path, "wb"))
  file:write(text)
  made[#made + 1] = path
  return path
end

function verb.clean()
  for _, path in ipairs(made) do os.remove(path) end
  made = {}
end

--- Runs lua/cli/<name>.lua. Returns its exit code, what it wrote, and what it complained of.
function verb.call(name, ...)
  local out, err = {}, {}
  local function sink(list)
    return { write = function(self, ...)
      for _, text in ipairs({ ... }) do list[#list + 1] = tostring(text) end
      return self
    end, flush = function() end }
  end
  local code = require("cli." .. name).run({ ... }, { out = sink(out), err = sink(err),
    job = function(fn) return T.run(fn) end })
  return code, table.concat(out), table.concat(err)
end

return verb
