--- The engine's surroundings, as far as metric providers ask for them: environment variables and the files they name.
--- These are the operator's; a template only says by its provider which of them are looked at.

local ambient = {}

local LONGEST = 65536 -- bytes of a file

local function content(path)
  local file <close> = io.open(path, "rb")
  local text = file and file:read(LONGEST + 1)
  return text and #text <= LONGEST and text or nil
end

--- { name = text } of the names that are set; for one that names a file, the file's content (at most 64 KiB).
--- @param wanted table      { env = {names}, files = {names} }
--- @param getenv function?  os.getenv
function ambient.read(wanted, getenv)
  local out = {}
  getenv = getenv or os.getenv
  for _, name in ipairs(wanted.env) do
    local value = getenv(name)
    if value and value ~= "" then out[name] = value end
  end
  for _, name in ipairs(wanted.files) do
    local path = getenv(name)
    out[name] = path and path ~= "" and content(path) or nil
  end
  return out
end

return ambient
