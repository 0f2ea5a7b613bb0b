--- How the demo shows a release: as lines, as JSON, or as a picture on a terminal. Pure, but for `redraw`.

local json = require("json")

local screen = {}

local WIDTH = 40
local COLOURS = { Succeeded = "32", Failed = "31", Progressing = "36", Promoting = "35", Finalising = "35" }
local VERDICTS = { pass = "32", fail = "31", nodata = "33", error = "33", inconclusive = "33" }
local LATEST = 4 -- events in a picture

local function paint(live, colour, text)
  if not live or not colour then return text end
  return ("\27[%sm%s\27[0m"):format(colour, text)
end

--- "####----" for a weight in percent.
function screen.bar(weight)
  local filled = math.floor(math.max(0, math.min(100, weight)) * WIDTH / 100 + 0.5)
  return ("#"):rep(filled) .. ("-"):rep(WIDTH - filled)
end

local function value_of(check)
  local number = tonumber(check.value)
  if not number then return tostring(check.value or "") end
  return ("%.2f"):format(number)
end

local function check_line(check, live)
  local verdict = paint(live, VERDICTS[check.verdict], ("%-12s"):format(check.verdict or ""))
  return ("    %-22s %s %10s  rule %s"):format(check.name, verdict, value_of(check), check.rule or "")
end

--- The lines that show what story.look saw.
--- @param live boolean  in colour, with the newest events
function screen.lines(seen, live)
  local requests = seen.requests
  local phase = paint(live, COLOURS[seen.phase], ("%-12s"):format(seen.phase))
  local out = {
    ("  %5.0f s  %s canary [%s] %3.4g %%  failed checks %d"):format(seen.time, phase, screen.bar(seen.weight),
      seen.weight, seen.failed_checks),
    ("    requests: %d served, of which %d failed; %d lost"):format(requests.served, requests.failed, requests.lost),
  }
  for _, check in ipairs(seen.checks) do out[#out + 1] = check_line(check, live) end
  for at = math.max(1, #seen.events - LATEST + 1), live and #seen.events or 0 do
    out[#out + 1] = "    " .. seen.events[at]
  end
  return out
end

--- What has to differ for a new line to be worth it.
function screen.state(seen)
  local parts = { seen.phase, seen.weight, seen.failed_checks }
  for _, check in ipairs(seen.checks) do parts[#parts + 1] = check.name .. (check.verdict or "") end
  return table.concat(parts, " ")
end

local function check_value(check)
  return { name = check.name, verdict = check.verdict, value = check.value, rule = check.rule }
end

--- One JSON object for what was seen.
function screen.json(seen)
  local checks = json.array()
  for index, check in ipairs(seen.checks) do checks[index] = check_value(check) end
  return assert(json.encode({
    type = "change", time = seen.time, phase = seen.phase, weight = seen.weight, failedChecks = seen.failed_checks,
    checks = checks, requests = seen.requests,
  }))
end

--- A line no wider than `columns`; colours take no room.
function screen.clip(line, columns)
  local out, room, at = {}, columns, 1
  while at <= #line do
    local escape = line:match("^\27%[[%d;]*m", at)
    if escape then
      out[#out + 1], at = escape, at + #escape
    else
      local char = line:match("^[%z\1-\127\194-\253][\128-\191]*", at) or line:sub(at, at)
      if room > 0 then out[#out + 1] = char end
      room, at = room - 1, at + #char
    end
  end
  return table.concat(out)
end

--- Writes a picture over the one before, which had `before` lines. Returns how many lines there are now.
function screen.redraw(out, lines, before, columns)
  local height = math.max(#lines, before)
  local parts = { before > 0 and ("\27[%dA"):format(before) or "" }
  for at = 1, height do parts[#parts + 1] = "\27[2K" .. screen.clip(lines[at] or "", columns) .. "\n" end
  out:write(table.concat(parts))
  out:flush()
  return height
end

return screen
