--- The scripts in the folders of --scripts: what is there, and its text.
--
--   DIR/policies/x.lua   DIR/checks/x.lua   DIR/routers/x.lua   DIR/notify/x.lua   DIR/lib/x.lua
-- DIR/spec is for `serin test`.

local header = require("scripts.header")
local nearest = require("util.nearest")

local folder = {}

local MOST_BYTES = 60 << 10 -- of a source

local BY_FOLDER = {}
for kind, row in pairs(header.KINDS) do BY_FOLDER[row.folder] = kind end

local function read(path)
  local file, message = io.open(path, "rb")
  if not file then return nil, message end
  local source = file:read(MOST_BYTES + 1) or ""
  file:close()
  if #source > MOST_BYTES then return nil, ("%s: expected at most %d bytes"):format(path, MOST_BYTES) end
  return source
end

local function names()
  local out = {}
  for name in pairs(BY_FOLDER) do out[#out + 1] = name end
  table.sort(out)
  return table.concat(out, ", ")
end

local function add_file(out, dir, kind, entry)
  local sub = header.KINDS[kind].folder
  local label = ("%s/%s"):format(sub, entry.name)
  local name = entry.name:match("^([%w_%-]+)%.lua$")
  if not name then
    if entry.name:find("%.lua$") then
      out.wrong[label] = ("%s: expected a name of letters, digits, - and _"):format(label)
    end
    return
  end
  local module = ("%s.%s"):format(sub, name)
  local path = ("%s/%s/%s"):format(dir, sub, entry.name)
  if out.files[module] then
    out.wrong[label] = ("%s: expected one, found %s and %s"):format(label, out.files[module].path, path)
    return
  end
  out.files[module] = { module = module, kind = kind, name = name, label = label, path = path,
    mark = ("%s %d %.9f"):format(path, entry.size, entry.changed) }
end

local function add_folder(out, list, dir)
  local entries, message = list(dir)
  if not entries then return message end
  for _, entry in ipairs(entries) do
    local kind = entry.folder and BY_FOLDER[entry.name]
    local hidden = entry.name:find("^%.") or entry.folder and entry.name == "spec"
    if kind then
      local files, problem = list(dir .. "/" .. entry.name)
      if not files then return problem end
      for _, file in ipairs(files) do
        if not file.folder and not file.name:find("^%.") then add_file(out, dir, kind, file) end
      end
    elseif not hidden and (entry.folder or entry.name:find("%.lua$")) then
      local close = nearest.of(entry.name, BY_FOLDER)
      out.wrong[entry.name] = ("%s/%s: expected one of the folders %s, found %s%s"):format(dir, entry.name, names(),
        entry.folder and "another one" or "a file", close and (" (did you mean %s?)"):format(close) or "")
    end
  end
end

--- { files = { [module] = { module, kind, name, label, path, mark } }, wrong = { [label] = message } }; or nil and a
--- message when a folder cannot be read. `mark` changes when the file does.
--- @param list function  script.list
function folder.look(list, dirs)
  local out = { files = {}, wrong = {} }
  for _, dir in ipairs(dirs) do
    local message = add_folder(out, list, (dir:gsub("/+$", "")))
    if message then return nil, message end
  end
  return out
end

--- The text of a file that `look` found; or nil and a message.
function folder.read(file) return read(file.path) end

return folder
