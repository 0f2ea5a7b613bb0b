--- Which share of all events falls to the canary: errors, crashes, failures, whose split would be that of the exposure
--- if both versions were alike. May be looked at after every event.
--
-- An e-process E starts at 1, and the chance that it ever reaches 1/alpha when the canary is not worse is at most alpha
-- (Ville 1939). Only ln E is kept.

local beta = require("stats.beta")
local check = require("stats.check")
local gamma = require("stats.gamma")

local share = {}

local MOST = 64 -- ratios, steps or arms

--- ln E of a events of the canary and b of the primary against the share p0, by a Beta(alpha, beta) mixture over the
--- share; with `one_sided` only over shares above p0 (Lindon & Malek, NeurIPS 2022; Robbins 1970); or nil, message.
function share.binomial(a, b, p0, alpha, beta_prior, one_sided)
  local bad = check.amount("a", a) or check.amount("b", b) or check.open("p0", p0) or check.positive("alpha", alpha)
    or check.positive("beta", beta_prior)
  if bad then return nil, bad end
  local ln_e = beta.ln(alpha + a, beta_prior + b) - beta.ln(alpha, beta_prior)
    - a * math.log(p0) - b * gamma.log1p(-p0)
  if not one_sided or not check.is_finite(ln_e) then return check.result("a, b, alpha, beta", ln_e) end
  local after, message = beta.ln_upper(alpha + a, beta_prior + b, p0)
  local before, second = beta.ln_upper(alpha, beta_prior, p0)
  if not after or not before then return nil, message or second end
  return check.result("a, b, alpha, beta", ln_e + after - before)
end

--- ln E of the counts of several arms against their shares `theta`, by a Dirichlet mixture (Lindon & Malek 2022); or
--- nil, message.
--- @param counts table  events of each arm
--- @param theta table   expected shares, which sum to 1
--- @param prior table   weights of the mixture
function share.multinomial(counts, theta, prior)
  local bad = check.values("counts", counts, MOST) or check.values("theta", theta, MOST)
    or check.values("prior", prior, MOST)
  if not bad and (#theta ~= #counts or #prior ~= #counts) then
    bad = ("theta, prior: expected %d entries as in counts"):format(#counts)
  end
  if bad then return nil, bad end
  local total, weight, sum, ln_e = 0, 0, 0, 0
  for i = 1, #counts do
    bad = check.amount("counts", counts[i]) or check.positive("theta", theta[i]) or check.positive("prior", prior[i])
    if bad then return nil, bad end
    total, weight, sum = total + counts[i], weight + prior[i], sum + theta[i]
    ln_e = ln_e + gamma.ln(prior[i] + counts[i]) - gamma.ln(prior[i]) - counts[i] * math.log(theta[i])
  end
  if math.abs(sum - 1) > 1e-9 then return nil, ("theta: expected a sum of 1, found %g"):format(sum) end
  return check.result("counts, prior", ln_e + gamma.ln(weight) - gamma.ln(weight + total))
end

--- ln of the mean of e^v.
local function ln_mean(values)
  local most, sum = -math.huge, 0
  for _, value in ipairs(values) do most = math.max(most, value) end
  for _, value in ipairs(values) do sum = sum + math.exp(value - most) end
  return most + math.log(sum / #values)
end

local WORSE = { 1.25, 1.5, 2, 3, 5 }
local BETTER = { 0.2, 0.4, 0.6, 0.8, 1 }

local function options_problem(r0, ratios)
  local bad = check.positive("r0", r0) or check.values("ratios", ratios, MOST)
  if bad then return bad end
  local above = ratios[1] > r0
  for index, ratio in ipairs(ratios) do
    bad = check.positive("ratios", ratio)
    if not bad and (ratio == r0 or (ratio > r0) ~= above) then
      bad = ("ratios[%d]: expected all on one side of %g, found %g"):format(index, r0, ratio)
    end
    if bad then return bad end
  end
end

--- ln( q(r) / q(r0) ), ln( (1 - q(r)) / (1 - q(r0)) ) with q(r) = r w / (r w + 1 - w).
local function ln_odds(ratio, r0, w)
  local of_b = math.log((r0 * w + 1 - w) / (ratio * w + 1 - w))
  return math.log(ratio / r0) + of_b, of_b
end

--- One more piece of data, at its own exposure: how a canary's weight may change on the way. E is a mixture of
--- likelihood ratios of rate ratios r_j against r0. With all r_j above r0 it speaks against every r <= r0 ("the canary
--- errs at most r0 times as often"), with all below against every r >= r0, because the ratio is monotone in a.
--- @param state table?  what the last call gave: { ln LR of each ratio }; nil at first
--- @param piece table   { w = the canary's share of the exposure, a, b = events }
--- @param options table?  { r0 = 1, ratios = { 1.25, 1.5, 2, 3, 5 } (below r0 = 1 use share.BETTER times r0) }
--- @return table  the next state; or nil, message
function share.step(state, piece, options)
  local bad = check.options(options)
  if bad then return nil, bad end
  options = options or {}
  local r0, ratios = options.r0 or 1, options.ratios or WORSE
  if type(piece) ~= "table" then return nil, "piece: expected a table" end
  bad = options_problem(r0, ratios) or check.open("w", piece.w) or check.amount("a", piece.a)
    or check.amount("b", piece.b)
  if not bad and state ~= nil then bad = check.values("state", state, MOST) end
  if not bad and state and #state ~= #ratios then
    bad = ("state: expected %d ratios, found %d"):format(#ratios, #state)
  end
  if bad then return nil, bad end
  local out = {}
  for j, ratio in ipairs(ratios) do
    local of_a, of_b = ln_odds(ratio, r0, piece.w)
    out[j] = (state and state[j] or 0) + piece.a * of_a + piece.b * of_b
    if not check.is_finite(out[j]) then return check.result("a, b", out[j]) end
  end
  return out
end

--- ln E of a state of share.step, with equal mass on each ratio.
function share.ln_e(state)
  local bad = check.values("state", state, MOST)
  if bad then return nil, bad end
  return ln_mean(state)
end

--- ln E after all of `pieces`; or nil, message.
function share.of(pieces, options)
  local bad = check.tables("pieces", pieces, 100000)
  if bad then return nil, bad end
  local state, message
  for _, piece in ipairs(pieces) do
    state, message = share.step(state, piece, options)
    if not state then return nil, message end
  end
  return share.ln_e(state)
end

share.WORSE, share.BETTER = WORSE, BETTER

return share
