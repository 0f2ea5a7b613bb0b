--- Comma-separated values of RFC 4180, line by line.

local csv = {}

local MAX_FIELDS = 4096

--- A quoted field that begins at `at`: its value and the place after it, or nil.
local function quoted(source, at)
  local parts, from = {}, at + 1
  while true do
    local stop = source:find('"', from, true)
    if not stop then return nil end
    parts[#parts + 1] = source:sub(from, stop - 1)
    if source:sub(stop + 1, stop + 1) ~= '"' then return table.concat(parts), stop + 1 end
    parts[#parts + 1] = '"'
    from = stop + 2
  end
end

--- The fields of the line that begins at byte `at`, and where the next one begins (beyond the text after the last);
--- or nil and a message. An empty line is { "" }.
function csv.record(source, at)
  local out = {}
  while true do
    local value
    if source:sub(at, at) == '"' then
      value, at = quoted(source, at)
      if not value then return nil, "a quoted field that does not end" end
    else
      local stop = source:find("[,\r\n]", at) or #source + 1
      value, at = source:sub(at, stop - 1), stop
    end
    out[#out + 1] = value
    if #out > MAX_FIELDS then return nil, ("more than %d fields in a line"):format(MAX_FIELDS) end
    local mark = source:sub(at, at)
    if mark == "" or mark == "\n" then return out, at + 1 end
    if mark == "\r" and source:sub(at + 1, at + 1) == "\n" then return out, at + 2 end
    if mark ~= "," then return nil, "expected a comma or the end of the line after a field" end
    at = at + 1
  end
end

return csv
