--- The corpus of scripts that try to get out: spec/fixtures/escapes/NAME.lua, its first line `--- ENDS AS`: a CODE
--- of script.run, or "returned" and how the JSON of what it returned begins. "TIMEOUT lost" costs a worker, as what
--- does not end is one call of a C function; "TIMEOUT" does not; "TIMEOUT either" depends on the machine.

local T = require("T")
local lfs = require("lfs")
local clock, engine, json, script = require("clock"), require("engine"), require("json"), require("script")
local run = require("spec.support.run")

local escapes = {}

local FOLDER = "spec/fixtures/escapes"

--- A script that is in the same worker meanwhile: it waits for the engine twice, and computes.
local INNOCENT = [[
return function(n)
  local sum = 0
  for _ = 1, 2 do
    pause(0.02)
    for i = 1, n do sum = sum + i end
  end
  return sum
end]]

--- What the innocent script returns.
escapes.SUM = 1001000

--- What every escape is granted.
escapes.calls = { pause = function(seconds) return seconds end }

--- { { name =, source =, ends = }... }, sorted.
function escapes.all()
  local out = {}
  for file in lfs.dir(FOLDER) do
    local name = file:match("^(.+)%.lua$")
    if name then
      local handle <close> = assert(io.open(FOLDER .. "/" .. file, "rb"))
      local source = handle:read("a")
      out[#out + 1] = { name = name, source = source, ends = source:match("^%-%-%- ([^\n]+)\n") }
    end
  end
  table.sort(out, function(a, b) return a.name < b.name end)
  return out
end

--- How a run ended, as the first line of a fixture says it.
function escapes.outcome(result, message, code)
  if code then return code, message end
  return "returned " .. (result == nil and "nil" or assert(json.encode(result))), message
end

--- Runs `source` beside an innocent script that waits in the same worker. Returns how it ended, its message, what the
--- innocent returned (or its message), and how often the loop's timer came by meanwhile.
function escapes.attempt(source, options)
  local innocent, paused, over, ticks = nil, false, false, 0
  local function pause(seconds)
    paused = true
    clock.sleep(seconds)
  end
  engine.spawn(function()
    local result, message = script.run(INNOCENT, "", 1000, { name = "innocent", calls = { pause = pause } })
    innocent = { result or message }
  end)
  run.await(function() return paused end, "the innocent script's call")
  engine.spawn(function()
    while not over do
      clock.sleep(0.005)
      ticks = ticks + 1
    end
  end)
  local ends, message = escapes.outcome(T.run(function() return script.run(source, "", nil, options) end))
  over = true
  run.await(function() return innocent end, "the innocent script's end")
  return ends, message, innocent[1], ticks
end

return escapes
