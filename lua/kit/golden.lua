--- Golden files: a text held against a file that somebody has looked at.

local golden = {}

local function read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read("a")
  file:close()
  return text
end

local function lines_of(text)
  local out = {}
  for line in (text .. "\n"):gmatch("(.-)\n") do out[#out + 1] = line end
  return out
end

--- The first line that differs, in words.
local function difference(path, wanted, found)
  local one, two = lines_of(wanted), lines_of(found)
  for index = 1, math.max(#one, #two) do
    if one[index] ~= two[index] then
      return ("%s:%d: expected %s, found %s (serin test --golden writes the file anew)"):format(path, index,
        one[index] and ("%q"):format(one[index]) or "its end", two[index] and ("%q"):format(two[index]) or "its end")
    end
  end
end

--- True when the file holds the text; else nil and what differs. With `write` the file is written.
function golden.compare(path, text, write)
  local wanted = read(path)
  if wanted == text then return true end
  if write then
    local file, message = io.open(path, "wb")
    if not file then return nil, message end
    file:write(text)
    file:close()
    return true
  end
  if wanted then return nil, difference(path, wanted, text) end
  return nil, ("%s: expected a golden file, found none (serin test --golden writes it)"):format(path)
end

return golden
