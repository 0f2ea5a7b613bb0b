--- Who tells the demo: on a terminal, in a file, to a program.
--
-- A teller has chapter(text), see(seen) and verdict(ok, text, seen).

local json = require("json")
local screen = require("cli.screen")

local teller = {}

local PROGRAM = "serin demo: "

local function write_line(out, text)
  out:write(text, "\n")
  out:flush()
end

--- Calls `show(seen)` when there is something new to show.
local function on_change(show)
  local last
  return function(seen)
    local state = screen.state(seen)
    if state == last or seen.phase == "" then return end
    last = state
    show(seen)
  end
end

--- Lines of text, one group per change.
function teller.plain(out)
  local self = {}
  function self.chapter(text) write_line(out, text) end
  self.see = on_change(function(seen) write_line(out, table.concat(screen.lines(seen, false), "\n")) end)
  function self.verdict(_, text, seen)
    local requests = seen.requests
    write_line(out, ("%s%s (%d requests served, %d failed, %d lost)"):format(PROGRAM, text, requests.served,
      requests.failed, requests.lost))
  end
  return self
end

--- A picture that moves.
function teller.live(out, columns)
  local plain, self, height = teller.plain(out), {}, 0
  function self.chapter(text)
    height = 0
    write_line(out, ("\27[1m%s\27[0m"):format(text))
  end
  function self.see(seen) height = screen.redraw(out, screen.lines(seen, true), height, columns) end
  self.verdict = plain.verdict
  return self
end

--- One JSON object per line; the last one is the verdict.
function teller.json(out)
  local self = {}
  local function tell(value) write_line(out, assert(json.encode(value))) end
  function self.chapter(text) tell({ type = "chapter", text = text }) end
  self.see = on_change(function(seen) write_line(out, screen.json(seen)) end)
  function self.verdict(ok, text, seen)
    tell({ type = "verdict", ok = ok, text = text, time = seen.time, requests = seen.requests })
  end
  return self
end

return teller
