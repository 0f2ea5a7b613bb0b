--- Mixture supermartingales: what a sum s of variance v may reach at any time (Howard, Ramdas, McAuliffe & Sekhon, Ann.
--- Stat. 49:1055, 2021). Each kind gives ln M(s, v), and the s at which M reaches 1/alpha.
--
-- Tuned to be tightest at variance v_opt and error alpha_opt.

local beta = require("stats.beta")
local check = require("stats.check")
local gamma = require("stats.gamma")
local normal = require("stats.normal")
local root = require("stats.root")

local mixture = {}

--- The mixture's precision that is tightest at v_opt; two-sided. One-sided takes twice the alpha.
local function precision(v_opt, alpha_opt)
  local doubled = -2 * math.log(alpha_opt)
  return v_opt / (doubled + math.log(1 + doubled))
end

local function two_sided_normal(o)
  local rho = precision(o.v_opt, o.alpha_opt)
  return function(s, v) return 0.5 * math.log(rho / (v + rho)) + s * s / (2 * (v + rho)) end
end

local function one_sided_normal(o)
  local rho = precision(o.v_opt, 2 * o.alpha_opt)
  return function(s, v)
    local below = normal.lower(s / math.sqrt(v + rho))
    return 0.5 * math.log(4 * rho / (v + rho)) + s * s / (2 * (v + rho)) + math.log(below)
  end
end

--- One-sided, for sums whose right tail is that of a Poisson count of scale c.
local function gamma_poisson(o)
  local rho, square = precision(o.v_opt, 2 * o.alpha_opt), o.c * o.c
  local r = rho / square
  local lead = r * math.log(r) - gamma.ln(r) - math.log(gamma.q(r, r))
  return function(s, v)
    local left = (v + rho) / square
    local at = s / o.c + left
    return lead + gamma.ln(at) + math.log(gamma.q(at, left)) - at * math.log(left) + v / square
  end
end

--- Two-sided, for sums of steps between -g and h.
local function beta_binomial(o)
  local g, h = o.g, o.h
  local r = math.max(precision(o.v_opt, o.alpha_opt) - g * h, 1e-3 * g * h)
  local start = beta.ln(r / (g * (g + h)), r / (h * (g + h)))
  return function(s, v)
    local down, up = (r + v - g * s) / (g * (g + h)), (r + v + h * s) / (h * (g + h))
    if down <= 0 or up <= 0 then return math.huge end
    return v / (g * h) * math.log(g + h) - (v + h * s) / (h * (g + h)) * math.log(g)
      - (v - g * s) / (g * (g + h)) * math.log(h) + beta.ln(down, up) - start
  end
end

local kinds = { normal = two_sided_normal, ["one-sided normal"] = one_sided_normal, ["gamma-poisson"] = gamma_poisson,
  ["beta-binomial"] = beta_binomial }

local function options_problem(o)
  if type(o) ~= "table" then return "options: expected a table" end
  if not kinds[o.kind] then return ("kind: expected a known kind of mixture, found %s"):format(tostring(o.kind)) end
  local bad = check.positive("v_opt", o.v_opt) or check.open("alpha_opt", o.alpha_opt)
  if not bad and o.kind ~= "normal" and o.kind ~= "beta-binomial" and o.alpha_opt >= 0.5 then
    bad = ("alpha_opt: expected less than 0.5, found %g"):format(o.alpha_opt)
  end
  if o.kind == "gamma-poisson" then bad = bad or check.positive("c", o.c) end
  if o.kind == "beta-binomial" then bad = bad or check.positive("g", o.g) or check.positive("h", o.h) end
  return bad
end

--- ln M of a sum s at variance v; or nil, message.
--- @param options table  { kind = "normal" | "one-sided normal" | "gamma-poisson" (c) | "beta-binomial" (g, h), v_opt,
---   alpha_opt, c?, g?, h? }
function mixture.ln(s, v, options)
  local bad = options_problem(options) or check.finite("s", s) or check.amount("v", v)
  if bad then return nil, bad end
  return kinds[options.kind](options)(s, v)
end

--- The s > 0 at which M reaches 1/alpha at variance v; or nil, message. No sum passes v/g of a beta-binomial.
function mixture.bound(v, alpha, options)
  local bad = options_problem(options) or check.positive("v", v) or check.open("alpha", alpha)
  if bad then return nil, bad end
  local ln, high = kinds[options.kind](options), v
  local function above(s) return ln(s, v) + math.log(alpha) end
  if options.kind == "beta-binomial" then
    high = v / options.g
    if above(high) < 0 then return high end
  else
    for _ = 1, 60 do
      if above(high) > 0 then break end
      high = 2 * high
    end
  end
  return root.find(above, 0, high, 1e-13 * high)
end

return mixture
