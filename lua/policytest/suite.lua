--- What must hold of any policy, whoever wrote it: on bad data it never promotes, never raises, and its decisions are
-- well-formed. The same suite is run on the shipped ones and by `serin test` on those of users.
--
--   suite.run(module, params) --> { { name, ok, message? }... }
--
-- A policy without samples sees of bad data what the checks say of it: they do not pass.

local cases = require("policytest.cases")
local hostile = require("policytest.hostile")
local merge = require("util.merge")
local params = require("util.params")
local player = require("policytest.player")
local random = require("sandbox.random")

local suite = {}

local TICKS = 60
local ROUNDS = 300 -- of values at random
local STRATEGIES = { "canary", "blue-green", "ab-testing" }

--- Verdicts of a check on data that are bad.
local function verdicts(index)
  local word = ({ "nodata", "error", "fail", "inconclusive" })[index % 4 + 1]
  return { { name = "request-success-rate", verdict = word, rule = ">= 99" } }
end

--- nil, or what a policy did that it must not; `blind` is true when only the checks can tell it.
local function promoted(game, feed, blind)
  for index = 1, TICKS do
    local more = blind and { passed = false, failed_checks = math.min(index, game.analysis.threshold - 1) } or nil
    local answer, message = player.tick(game, feed, blind and verdicts(index) or nil, more)
    if not answer then return ("look %d: %s"):format(index, message) end
    if answer.action == "promote" then return ("look %d: promoted: %s"):format(index, answer.reason) end
  end
end

local function add(out, name, message) out[#out + 1] = { name = name, ok = message == nil, message = message } end

local function spoil(game, draw, round)
  game.weight = math.floor(draw() * 101)
  game.state = round % 2 == 0 and hostile.value(draw, 4) or hostile.spoilt(draw, game.state)
  if type(game.state) ~= "table" then game.state = { value = game.state } end
end

--- A run that goes on from states that no version of the policy left.
local function bad_states(module, given, strategy)
  local draw, game = random.new(11), player.new(module, given, strategy)
  local feed = cases.healthy()
  for round = 1, ROUNDS do
    spoil(game, draw, round)
    local ok, answer, message = pcall(player.tick, game, round % 3 == 0 and feed or {}, verdicts(round),
      { passed = false, failed_checks = 1 })
    if not ok then return ("state %d: %s"):format(round, answer) end
    if not answer then return ("state %d: %s"):format(round, message) end
    if answer.action == "promote" then return ("state %d: promoted: %s"):format(round, answer.reason) end
  end
end

--- Samples, and what is known of the moment, at random.
local function bad_values(module, given, strategy)
  local draw, game = random.new(12), player.new(module, given, strategy)
  for round = 1, ROUNDS do
    local answer, message = player.tick(game, hostile.value(draw, 4), {},
      { passed = false, failed_checks = math.floor(draw() * 10), since = hostile.value(draw, 0),
        approvals = hostile.value(draw, 2), t = round % 5 == 0 and 0 or game.t })
    if not answer then return ("values %d: %s"):format(round, message) end
    if answer.action == "promote" then return ("values %d: promoted: %s"):format(round, answer.reason) end
  end
end

--- A failing check is never followed by more traffic, however healthy the samples are.
local function failing_checks(module, given, strategy)
  return promoted(player.new(module, given, strategy), cases.healthy(), true)
end

local function shuffled(draw, feed)
  return function(game)
    local list = feed(game)
    for index = #list, 1, -1 do list[#list + 1] = merge.copy(list[index]) end
    for index = #list, 2, -1 do
      local other = math.floor(draw() * index) + 1
      list[index], list[other] = list[other], list[index]
    end
    return list
  end
end

--- What a policy decides until it promotes or the game is over, as texts.
local function path_of(game, feed)
  local out = {}
  for index = 1, TICKS do
    local answer, message = player.tick(game, feed)
    out[index] = answer and ("%s %d"):format(answer.action, game.weight) or message
    if not answer or answer.action == "promote" then break end
  end
  return out
end

--- Doubled samples in another order are the same samples.
local function order_matters(module, given)
  local plain = path_of(player.new(module, given), cases.healthy())
  local other = path_of(player.new(module, given), shuffled(random.new(13), cases.healthy()))
  for index = 1, math.max(#plain, #other) do
    if plain[index] ~= other[index] then
      return ("look %d: expected %s as with samples in order, found %s"):format(index, tostring(plain[index]),
        tostring(other[index]))
    end
  end
end

--- The same context twice gives the same decision: nothing is remembered but the state.
local function impure(module, given, strategy)
  local feed = cases.healthy()
  local one, two = player.new(module, given, strategy), player.new(module, given, strategy)
  for index = 1, TICKS do
    local a, b = player.tick(one, feed), player.tick(two, feed)
    if not merge.equal(a, b) then return ("look %d: two decisions on the same observation"):format(index) end
    if not a or a.action == "promote" then return nil end
  end
end

local function each(out, module, given, strategy)
  local blind = not module.samples
  for _, case in ipairs(cases.list) do
    if not (case.relative and module.absolute) then
      add(out, ("%s: %s"):format(strategy, case.name),
        promoted(player.new(module, given, strategy), case.feed(), blind))
    end
  end
  add(out, strategy .. ": checks that fail beside healthy samples", failing_checks(module, given, strategy))
  add(out, strategy .. ": a state that it never left", bad_states(module, given, strategy))
  add(out, strategy .. ": values at random", bad_values(module, given, strategy))
  add(out, strategy .. ": the same observation twice", impure(module, given, strategy))
end

--- Runs everything.
--- @param module table   { name, params, decide, samples?, strategies?, absolute? }
--- @param user table?    parameters as a user writes them
function suite.run(module, user)
  local given, message = params.read(module.params or {}, user, "params")
  if not given then return { { name = "parameters", ok = false, message = message } } end
  local out = {}
  for _, strategy in ipairs(module.strategies or STRATEGIES) do each(out, module, given, strategy) end
  if module.samples then add(out, "canary: samples doubled and in another order", order_matters(module, given)) end
  return out
end

return suite
