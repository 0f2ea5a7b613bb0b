--- Plays a policy tick by tick as the engine does: it gets copies, its state goes through JSON, each decision is
-- checked and guarded, shifts are obeyed.

local decision = require("canary.decision")
local guard = require("canary.guard")
local json = require("json")
local merge = require("util.merge")

local player = {}

local ANALYSIS = { threshold = 5, step_weight = 10, max_weight = 50, interval = 30, iterations = 3, mirror = false }
local START = 1764140000.5 -- seconds since the epoch

--- A game: { module, params (as read), strategy, weight, t, state, analysis }.
function player.new(module, params, strategy)
  return { module = module, params = params, strategy = strategy or "canary", analysis = ANALYSIS, weight = 0,
    iterations = 0, t = START, start = START, ticks = 0 }
end

local function context_of(game, samples, checks, more)
  local now = { t = game.t, weight = game.weight, mirrored = false, iterations = game.iterations, failed_checks = 0,
    passed = true, approvals = {}, since = game.since }
  for key, value in pairs(more or {}) do now[key] = value end
  return { canary = { namespace = "test", name = "test", target = "test", provider = "istio", revision = "s1-0" },
    strategy = game.strategy, analysis = merge.copy(game.analysis), params = merge.copy(game.params), now = now,
    checks = merge.copy(checks or {}), samples = merge.copy(samples), state = merge.copy(game.state) }
end

local function obey(game, answer)
  game.state = answer.state and json.decode(assert(json.encode(answer.state))) or nil
  if answer.action ~= "shift" and answer.action ~= "iterate" then return end
  local weight = answer.routes and answer.routes.canary or answer.weight
  if weight and weight ~= game.weight then game.since, game.weight = game.t, weight end
  game.iterations = answer.iterations or game.iterations
end

--- The decision of one interval; or nil and a message when there is none that may be acted on.
--- @param samples any      the list, or a function of the game that gives it
--- @param checks table?    verdicts of the checks
--- @param more table?      fields of `now`
function player.tick(game, samples, checks, more)
  game.ticks, game.t = game.ticks + 1, game.t + game.analysis.interval
  if type(samples) == "function" then samples = samples(game) end
  local context = context_of(game, samples, checks, more)
  local now = context.now
  local passed, weight = now.passed, now.weight
  local ok, answer = pcall(game.module.decide, context)
  if not ok then return nil, "raised " .. tostring(answer) end
  local message
  answer, message = decision.check(answer)
  message = message or guard.decision(answer, { passed = passed, weight = weight }, game.strategy)
  if message then return nil, message end
  obey(game, answer)
  return answer
end

return player
