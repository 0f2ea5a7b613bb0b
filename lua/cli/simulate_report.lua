--- How simulated releases are told: a timeline, and a table of rates.

local json = require("json")

local report = {}

local function clock(seconds)
  local whole = math.floor(seconds + 0.5)
  local text = ("%02d:%02d"):format(whole // 60 % 60, whole % 60)
  return whole >= 3600 and ("%d:%s"):format(whole // 3600, text) or text
end

local function value_text(value)
  local number = tonumber(value)
  return number and ("%.6g"):format(number) or tostring(value or "-")
end

local function check_text(item)
  return ("%s %s%s"):format(item.name, item.verdict,
    item.verdict ~= "pass" and item.rule and (" (%s, not %s)"):format(value_text(item.value), item.rule)
      or item.value ~= nil and (" (%s)"):format(value_text(item.value)) or "")
end

local function line(entry)
  local parts = { ("%8s  %-16s %3.4g %%"):format(clock(entry.time), entry.phase or "", entry.weight) }
  if entry.iterations > 0 then parts[#parts + 1] = ("iteration %d"):format(entry.iterations) end
  if entry.failed_checks > 0 then parts[#parts + 1] = ("%d failed"):format(entry.failed_checks) end
  if entry.waiting then parts[#parts + 1] = "waits for " .. entry.waiting end
  for _, item in ipairs(entry.checks) do parts[#parts + 1] = check_text(item) end
  return table.concat(parts, "  ")
end

local function write_timeline(release, out)
  out:write("    time  phase          weight  checks\n")
  for _, entry in ipairs(release.timeline) do
    out:write(line(entry), "\n")
    for _, text in ipairs(entry.warnings) do out:write((" "):rep(10), "! ", text, "\n") end
  end
  local message = release.outcome == "undecided" and release.message and ": " .. release.message or ""
  out:write(("%s after %s%s; %d requests of users failed, %d were lost\n"):format(release.outcome, clock(release.time),
    message, math.floor(release.failed + 0.5), math.ceil(release.lost - 1e-6)))
end

local function percent(share) return ("%.2f %%"):format(share * 100) end
local function time(seconds) return seconds and clock(seconds) or "-" end

local function write_table(result, out)
  local list = result.policies
  out:write(("%d releases, seed %d; a rollback is %s\n"):format(list[1].runs, result.seed,
    result.fair and "a false alarm: the canary is never worse than the primary"
      or "a detection: the canary is worse than the primary"))
  out:write(("%-12s %10s %12s %10s %18s %18s %16s\n"):format("policy", "promoted", "rolled back", "undecided",
    "time to promotion", "time to rollback", "failed requests"))
  for _, one in ipairs(list) do
    out:write(("%-12s %10s %12s %10s %18s %18s %16.0f\n"):format(one.policy, percent(one.promoted),
      percent(one.rolled_back), percent(one.undecided), time(one.seconds_to_promotion), time(one.seconds_to_rollback),
      one.failed_requests))
  end
  for _, one in ipairs(list) do
    if one.why then out:write(("%s: every release on the embedded cluster: %s\n"):format(one.policy, one.why)) end
  end
end

local function array(list)
  local out = json.array()
  for index, item in ipairs(list) do out[index] = item end
  return out
end

local function release_json(release)
  local out = { outcome = release.outcome, seconds = release.time, failed_requests = release.failed,
    lost_requests = release.lost, message = release.message, timeline = json.array(), notes = array(release.notes) }
  for index, entry in ipairs(release.timeline) do
    local copy = {}
    for key, value in pairs(entry) do copy[key] = value end
    copy.checks, copy.warnings = array(entry.checks), array(entry.warnings)
    out.timeline[index] = copy
  end
  return out
end

--- @param result table  { release?, policies?, seed, fair }
function report.write(result, output, out)
  if output == "json" then
    out:write(json.encode({ seed = result.seed, canary_is_worse = not result.fair,
      release = result.release and release_json(result.release),
      policies = result.policies and array(result.policies) }), "\n")
    return
  end
  if result.release then write_timeline(result.release, out) end
  if result.release and result.policies then out:write("\n") end
  if result.policies then write_table(result, out) end
end

return report
