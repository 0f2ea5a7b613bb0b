--- Failures of requests in both arms, block by block, looked at after each: an e-process against
--- "p_c = ratio p_b + difference", exact for any sizes of the blocks, and when the rates drift from block to block.
--
-- In a block of n_c and n_b requests with y_c and y_b failures, E grows by the likelihood ratio of the rates that the
-- earlier blocks predict and of the nearest pair on the boundary (Turner, Ly & Gruenwald, arXiv 2106.02693, for equal
-- rates; Turner & Gruenwald, arXiv 2203.09785, for linear boundaries).
-- Why it holds at a boundary with a ratio: for true rates f, ln of the expected factor is at most
-- sum n (f - t0)(t - t0) / (t0 (1 - t0)), t the predicted and t0 the nearest rates. That is 0 all along the line
-- because t0 is nearest, and below 0 on the side of it where the prediction is not.

local boundary = require("stats.boundary")
local check = require("stats.check")
local gamma = require("stats.gamma")

local blocks = {}

local DEFAULT = { 0.18, 0.18 }

local function prior_problem(name, prior)
  if type(prior) ~= "table" then return name .. ": expected two numbers" end
  return check.positive(name .. "[1]", prior[1]) or check.positive(name .. "[2]", prior[2])
end

local function state_problem(state)
  if type(state) ~= "table" then return "state: expected a table" end
  return check.part("state.y_c", state.y_c, "state.n_c", state.n_c)
    or check.part("state.y_b", state.y_b, "state.n_b", state.n_b) or check.finite("state.ln_e", state.ln_e)
end

local function options_problem(o)
  local bad = prior_problem("prior_c", o.prior_c) or prior_problem("prior_b", o.prior_b)
    or check.positive("ratio", o.ratio) or check.finite("difference", o.difference) or check.amount("pull", o.pull)
  if bad then return bad end
  if o.difference <= -1 or o.difference >= 1 then
    return ("difference: expected a number between -1 and 1, found %g"):format(o.difference)
  end
  if o.side ~= "either" and o.side ~= "more" and o.side ~= "less" then
    return ("side: expected either, more or less, found %s"):format(tostring(o.side))
  end
end

local function with_defaults(options)
  options = options or {}
  return {
    prior_c = options.prior_c or options.prior or DEFAULT, prior_b = options.prior_b or options.prior or DEFAULT,
    ratio = options.ratio or 1, difference = options.difference or 0, side = options.side or "either",
    pull = options.pull or 0,
  }
end

--- What the earlier blocks predict. `pull` counts as so many earlier canary requests at the primary's rate, which
--- has to be seen first.
local function predicted(state, o)
  local b = (o.prior_b[1] + state.y_b) / (o.prior_b[1] + o.prior_b[2] + state.n_b)
  if o.pull > 0 then return (o.pull * b + state.y_c) / (o.pull + state.n_c), b end
  return (o.prior_c[1] + state.y_c) / (o.prior_c[1] + o.prior_c[2] + state.n_c), b
end

local function ln_ratio(y, n, rate, null)
  local sum = 0
  if y > 0 then sum = y * math.log(rate / null) end
  if n > y then sum = sum + (n - y) * (gamma.log1p(-rate) - gamma.log1p(-null)) end
  return sum
end

--- The state before any block.
function blocks.start() return { ln_e = 0.0, y_c = 0, n_c = 0, y_b = 0, n_b = 0 } end

--- One more block.
--- @param state table?  what the last call gave: { ln_e, y_c, n_c, y_b, n_b }; nil at first
--- @param block table   { y_c, n_c, y_b, n_b }: failures and requests; an arm may have none
--- @param options table?  { prior = { a, b } of both Beta priors, or prior_c, prior_b (0.18, 0.18 as the authors have
---   it), ratio = 1, difference = 0, side = "either"; "more" or "less": only a canary predicted above or below the
---   boundary counts against it; pull = 0 (above 0 it stands in for prior_c, and the first block only teaches) }
--- @return table  the next state; or nil, message
function blocks.step(state, block, options)
  local bad = check.options(options)
  if bad then return nil, bad end
  local o = with_defaults(options)
  state = state or blocks.start()
  if type(block) ~= "table" then return nil, "block: expected a table" end
  bad = options_problem(o) or state_problem(state) or check.part("y_c", block.y_c, "n_c", block.n_c)
    or check.part("y_b", block.y_b, "n_b", block.n_b)
  if bad then return nil, bad end
  local ln_e = state.ln_e
  if block.n_c > 0 and block.n_b > 0 and (o.pull == 0 or state.n_b > 0) then
    local c, b = predicted(state, o)
    local beyond = c - (o.ratio * b + o.difference)
    if o.side == "either" or (o.side == "more" and beyond > 0) or (o.side == "less" and beyond < 0) then
      local null_c, null_b = boundary.nearest(c, block.n_c, b, block.n_b, o.ratio, o.difference)
      local growth = ln_ratio(block.y_c, block.n_c, c, null_c) + ln_ratio(block.y_b, block.n_b, b, null_b)
      if check.is_finite(growth) then ln_e = ln_e + growth end
    end
  end
  return { ln_e = ln_e, y_c = state.y_c + block.y_c, n_c = state.n_c + block.n_c, y_b = state.y_b + block.y_b,
    n_b = state.n_b + block.n_b }
end

--- The state after a list of blocks; or nil, message.
function blocks.of(list, options)
  local bad = check.tables("blocks", list, 100000)
  if bad then return nil, bad end
  local state = blocks.start()
  for _, block in ipairs(list) do
    local message
    state, message = blocks.step(state, block, options)
    if not state then return nil, message end
  end
  return state
end

return blocks
