--- The file that `serin run -tape` writes: JSON lines, up to a number of bytes.

local finite = require("util.finite")
local json = require("json")

local tape = {}

local ROOM = 128 -- bytes for the last line

--- A function that writes one record; or nil and a message.
--- @param most number  bytes of the file, what is in it already included
--- @param log table    told once when it is full, or cannot be written
function tape.open(path, most, log)
  local file, message = io.open(path, "ab")
  if not file then return nil, message end
  local size = file:seek("end")
  local over = size + ROOM > most
  local function stop(why)
    over = true
    log.warn(("tape %s: %s; nothing more is recorded"):format(path, why))
  end
  if over then log.warn(("tape %s: it is full already; nothing is recorded"):format(path)) end
  return function(record)
    if over then return end
    local text, wrong = json.encode(finite.pack(record))
    if not text then return log.warn(("tape %s: a record cannot be written: %s"):format(path, wrong)) end
    if size + #text + 1 + ROOM > most then
      file:write(json.encode({ type = "full", bytes = size }), "\n")
      file:flush()
      return stop(("it is full at %d bytes"):format(most))
    end
    local ok, why = file:write(text, "\n")
    ok = ok and file:flush()
    if not ok then return stop(tostring(why)) end
    size = size + #text + 1
  end
end

return tape
