--- One metric of both arms over a whole run: evidence that the canary is worse, and that it is not, looked at after
--- every block and valid at any time, whatever the weights were. Its memory is a few numbers.
--
--   kind       worse                                       not worse
--   failures   share.step over ratios above `margin`,    blocks.step against "worse by `tolerance` or more"
--              at the share of the block's requests
--   events     the same at the router's weight           share.step over ratios below `events_tolerance`
--   slow       blocks.step against "slower by at most    blocks.step against "slower by `slow_tolerance` or more"
--              `slow_margin`"
--
-- For failures the share is that of a count of Poisson events; of failures in equally many requests it scatters less
-- (hypergeometric, below the binomial in convex order: Hoeffding 1963), so E is too small rather than too large.

local blocks = require("stats.blocks")
local check = require("stats.check")
local share = require("stats.share")
local sprt = require("stats.sprt")

local comparison = {}

local PULL = 50 -- requests at the primary's rate with which the canary's estimate begins
local STEPS_ABOVE = { 1.25, 1.5, 2, 3, 5 }
local STEPS_BELOW = { 0.2, 0.4, 0.6, 0.8 }

local function scaled(steps, by)
  local out = {}
  for index, step in ipairs(steps) do out[index] = step * by end
  return out
end

--- The numbers of the comparison, ready for use: make them once a call.
--- @param limits table  { margin, tolerance, events_tolerance, slow_margin, slow_tolerance, slo?, slo_ratio? }; shares
---   from 0 to 1, ratios of rates, slo = the granted share of failures
function comparison.options(limits)
  local function against(difference, side)
    return { prior_b = { 0.5, 0.5 }, pull = PULL, difference = difference, side = side }
  end
  return {
    ratios = { r0 = limits.margin, ratios = scaled(STEPS_ABOVE, limits.margin) },
    events_below = { r0 = limits.events_tolerance, ratios = scaled(STEPS_BELOW, limits.events_tolerance) },
    failures_below = against(limits.tolerance, "less"),
    slow_above = against(limits.slow_margin, "more"),
    slow_below = against(limits.slow_tolerance, "less"),
    slo = limits.slo, slo_ratio = limits.slo_ratio,
  }
end

--- The memory of a metric of that kind before any data.
function comparison.start(kind)
  local out = { kind = kind, worse = 0.0, fine = 0.0, c = { 0, 0 }, b = { 0, 0 }, chi = 0.0, blocks = 0 }
  if kind ~= "slow" then out.worse = { 0.0, 0.0, 0.0, 0.0, 0.0 } end
  if kind == "events" then out.fine = { 0.0, 0.0, 0.0, 0.0 } end
  return out
end

local function ln_list(value, length)
  return length == 1 and check.is_finite(value)
    or length > 1 and check.values("list", value, length) == nil and #value == length
end

--- True when a memory that came back can be gone on with.
function comparison.is_memory(memory)
  if type(memory) ~= "table" or type(memory.c) ~= "table" or type(memory.b) ~= "table" then return false end
  local kind = memory.kind
  if kind ~= "failures" and kind ~= "events" and kind ~= "slow" then return false end
  return ln_list(memory.worse, kind == "slow" and 1 or 5) and ln_list(memory.fine, kind == "events" and 4 or 1)
    and not check.part("c", memory.c[1], "c", memory.c[2]) and not check.part("b", memory.b[1], "b", memory.b[2])
    and not check.amount("chi", memory.chi) and not check.count("blocks", memory.blocks)
end

local function state_of(memory, ln_e)
  return { ln_e = ln_e, y_c = memory.c[1], n_c = memory.c[2], y_b = memory.b[1], n_b = memory.b[2] }
end

--- ln E of a block against a boundary; unchanged when it cannot be weighed.
local function grown(memory, ln_e, block, options)
  local after = blocks.step(state_of(memory, ln_e), block, options)
  return after and after.ln_e or ln_e
end

local function weigh_events(out, memory, block, weight, o)
  if weight <= 0 or weight >= 1 then return end
  local piece = { w = weight, a = block.y_c, b = block.y_b }
  out.worse = share.step(memory.worse, piece, o.ratios) or memory.worse
  out.fine = share.step(memory.fine, piece, o.events_below) or memory.fine
end

local function weigh_requests(out, memory, block, o)
  if block.n_c == 0 or block.n_b == 0 then return end
  if memory.kind == "slow" then
    out.worse = grown(memory, memory.worse, block, o.slow_above)
    out.fine = grown(memory, memory.fine, block, o.slow_below)
    return
  end
  local piece = { w = block.n_c / (block.n_c + block.n_b), a = block.y_c, b = block.y_b }
  out.worse = share.step(memory.worse, piece, o.ratios) or memory.worse
  out.fine = grown(memory, memory.fine, block, o.failures_below)
end

--- How far the canary's failures of one block are from its rate so far (for Pearson's chi-square).
local function scatter(memory, y, n)
  local rate = (memory.c[1] + y) / (memory.c[2] + n)
  if rate <= 0 or rate >= 1 then return 0 end
  return (y - n * rate) ^ 2 / (n * rate * (1 - rate))
end

--- The memory after one more block.
--- @param memory table   of `start`, or what the last call gave
--- @param block table    { y_c, n_c, y_b, n_b }: failures (or events) and requests of both arms, all new
--- @param weight number  the router's share for the canary during the block
--- @param options table  of `options`
function comparison.step(memory, block, weight, options)
  local out = { kind = memory.kind, worse = memory.worse, fine = memory.fine, chi = memory.chi,
    blocks = memory.blocks, c = { memory.c[1] + block.y_c, memory.c[2] + block.n_c },
    b = { memory.b[1] + block.y_b, memory.b[2] + block.n_b } }
  if memory.kind == "events" then
    weigh_events(out, memory, block, weight, options)
  else
    weigh_requests(out, memory, block, options)
    if block.n_c > 0 then
      out.chi, out.blocks = memory.chi + scatter(memory, block.y_c, block.n_c), memory.blocks + 1
    end
  end
  return out
end

local function ln_mean(value) return type(value) == "table" and share.ln_e(value) or value end

--- What the memory says.
--- @return table  { worse, fine = ln E; slo = ln of the likelihood ratio of missing the objective to meeting it, or
---   nil; rate_c, rate_b or nil; n_c, n_b, y_c, y_b; dispersion = above 2 the failures come in bursts }
function comparison.result(memory, options)
  local c, b = memory.c, memory.b
  local out = { worse = ln_mean(memory.worse), fine = ln_mean(memory.fine), y_c = c[1], n_c = c[2], y_b = b[1],
    n_b = b[2], dispersion = memory.blocks > 1 and memory.chi / (memory.blocks - 1) or 1 }
  if memory.kind ~= "events" then
    out.rate_c, out.rate_b = c[2] > 0 and c[1] / c[2] or nil, b[2] > 0 and b[1] / b[2] or nil
  end
  if memory.kind == "failures" and options.slo then
    out.slo = sprt.llr(c[1], c[2], options.slo, math.min(0.999999, options.slo * options.slo_ratio))
  end
  return out
end

return comparison
