--- The source tree as the checks see it: files of a folder, their lines, and findings to report.
local lfs = require("lfs")

local tree = {}

local function walk(folder, found)
  for name in lfs.dir(folder) do
    local path = folder .. "/" .. name
    local mode = name:sub(1, 1) ~= "." and lfs.attributes(path, "mode")
    if mode == "directory" then walk(path, found) elseif mode == "file" then found[#found + 1] = path end
  end
  return found
end

--- Paths below the folders given that match one of the patterns, sorted.
function tree.files(folders, patterns)
  local all, wanted = {}, {}
  for _, folder in ipairs(folders) do
    if lfs.attributes(folder, "mode") == "directory" then walk(folder, all) end
  end
  for _, path in ipairs(all) do
    for _, pattern in ipairs(patterns) do
      if path:find(pattern) then
        wanted[#wanted + 1] = path
        break
      end
    end
  end
  table.sort(wanted)
  return wanted
end

function tree.text(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

function tree.exists(path)
  return lfs.attributes(path, "mode") == "file"
end

--- The lines of a text.
function tree.lines(text)
  local lines = {}
  for line in (text:sub(-1) == "\n" and text or text .. "\n"):gmatch("(.-)\n") do lines[#lines + 1] = line end
  return lines
end

local function blank(text)
  return (text:gsub("[^\n]", " "))
end

--- C without comments and the content of literals; every line keeps its number.
function tree.c_code(text)
  local out, at = {}, 1
  while at <= #text do
    local start = text:find("[/\"']", at)
    if not start then break end
    out[#out + 1] = text:sub(at, start - 1)
    local two, one = text:sub(start, start + 1), text:sub(start, start)
    local stop
    if two == "/*" then
      stop = select(2, text:find("*/", start + 2, true)) or #text
    elseif two == "//" then
      stop = (text:find("\n", start, true) or #text + 1) - 1
    elseif one == "/" then
      stop = start
    else
      stop = start + 1
      while stop <= #text and text:sub(stop, stop) ~= one do
        stop = stop + (text:sub(stop, stop) == "\\" and 2 or 1)
      end
    end
    out[#out + 1] = one == "/" and stop == start and "/" or blank(text:sub(start, stop))
    at = stop + 1
  end
  return table.concat(out) .. text:sub(at)
end

--- Collects findings: `add(path, line, message)`; `done()` prints them and ends the process.
function tree.findings(name)
  local lines = {}
  return {
    list = lines,
    add = function(path, line, message, ...)
      lines[#lines + 1] = ("%s:%d: " .. message):format(path, line, ...)
    end,
    done = function()
      for _, line in ipairs(lines) do print(line) end
      print(("%s: %d findings"):format(name, #lines))
      os.exit(#lines == 0, true)
    end,
  }
end

return tree
