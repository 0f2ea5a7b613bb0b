--- The mean of values between 0 and 1 against a bound, by betting: exact for any distribution, after any value
--- (Waudby-Smith & Ramdas, JRSS-B 86:1, 2024).
--
-- Capital grows by 1 + bet (x - bound). If the mean is at most the bound no bet wins in the long run, so the capital is
-- an e-process. The bet follows the mean and variance seen before (the paper's approximate Kelly bet), cut to half of
-- what could lose everything.

local check = require("stats.check")

local betting = {}

local function bet(state, bound)
  local n = state.n
  local mean = (0.5 + state.sum) / (n + 1)
  local variance = (0.25 + state.squares) / (n + 1)
  local gain = mean - bound
  if gain <= 0 then return 0 end
  return math.min(gain / (variance + gain * gain), 0.5 / bound)
end

--- One more value, for "the mean is at most `bound`".
--- @param state table?  what the last call gave: { ln_e, n, sum, squares }; nil at first
--- @param x number      from 0 to 1
--- @param bound number  between 0 and 1
--- @return table  the next state; or nil, message
function betting.step(state, x, bound)
  state = state or { ln_e = 0.0, n = 0, sum = 0.0, squares = 0.0 }
  local bad = check.open("bound", bound) or check.amount("x", x)
  if not bad and x > 1 then bad = ("x: expected at most 1, found %g"):format(x) end
  if not bad and type(state) ~= "table" then bad = "state: expected a table" end
  bad = bad or check.finite("state.ln_e", state.ln_e) or check.count("state.n", state.n)
    or check.amount("state.sum", state.sum) or check.amount("state.squares", state.squares)
  if bad then return nil, bad end
  local mean = (0.5 + state.sum + x) / (state.n + 2)
  return { ln_e = state.ln_e + math.log(1 + bet(state, bound) * (x - bound)), n = state.n + 1, sum = state.sum + x,
    squares = state.squares + (x - mean) ^ 2 }
end

return betting
