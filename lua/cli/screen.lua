--- How the demo draws a release: a line per change, or a live picture where there is a terminal.

local screen = {}

local WIDTH = 40
local COLOURS = { Succeeded = "32", Failed = "31", Progressing = "36", Promoting = "35", Finalising = "35" }
local VERDICTS = { pass = "32", fail = "31", nodata = "33", error = "33", inconclusive = "33" }

local function paint(live, colour, text)
  if not live or not colour then return text end
  return ("\27[%sm%s\27[0m"):format(colour, text)
end

--- "primary ####----- canary" for a weight in percent.
function screen.bar(weight)
  local filled = math.floor(weight * WIDTH / 100 + 0.5)
  return ("%s%s"):format(("#"):rep(filled), ("-"):rep(WIDTH - filled))
end

local function check_line(live, check)
  local value = check.value and tonumber(check.value)
  local shown = value and ("%.2f"):format(value) or check.value or ""
  return ("    %-22s %s %s  rule %s"):format(check.name, paint(live, VERDICTS[check.verdict], ("%-12s"):format(check.verdict)),
    ("%10s"):format(shown), check.rule or "")
end

--- The lines that show a Canary. `seconds`: virtual time since the start; `events`: the newest messages.
function screen.lines(live, canary, seconds, traffic, events)
  local status = canary.status or {}
  local weight = status.canaryWeight or 0
  local out = {
    ("  %s  phase %s   virtual time %4.0f s   requests served %d, failed %d"):format(canary.metadata.name,
      paint(live, COLOURS[status.phase], ("%-12s"):format(status.phase or "")), seconds, traffic.served, traffic.failed),
    ("  canary [%s] %3d%%   failed checks %d"):format(screen.bar(weight), weight, status.failedChecks or 0),
  }
  for _, check in ipairs(status.checks or {}) do out[#out + 1] = check_line(live, check) end
  for _, event in ipairs(events) do out[#out + 1] = "    " .. event end
  return out
end

--- Writes a picture over the one before. Returns how many lines it has.
function screen.redraw(out, lines, before)
  if before > 0 then out:write(("\27[%dA"):format(before)) end
  for _, line in ipairs(lines) do out:write("\27[2K", line, "\n") end
  for _ = #lines + 1, before do out:write("\27[2K\n") end
  out:flush()
  return math.max(#lines, before)
end

return screen
