--- A business-hours gate: the steps of the spec, but traffic rises and a promotion happens only while people are at
--- work. A rollback waits for nobody.
--
--   policy: {name: business_hours, params: {zone: Europe/Berlin, from: 9, to: 17}}

local steps = require("lib.steps")

local gate = {
  name = "business_hours", api = 1,
  params = {
    zone = { type = "string", default = "UTC", doc = "where the people are" },
    from = { type = "integer", default = 9, min = 0, max = 23, unit = "o'clock" },
    to = { type = "integer", default = 17, min = 1, max = 24, unit = "o'clock", doc = "the first hour after work" },
    weekends = { type = "boolean", default = false },
  },
}

local function at_work(params)
  local at, message = clock.at(params.zone)
  if not at then error(message, 0) end
  return at.hour >= params.from and at.hour < params.to and (params.weekends or at.weekday <= 5),
    ("%02d:%02d in %s"):format(at.hour, at.minute, params.zone)
end

function gate.decide(ctx)
  local decision = steps.decide(ctx)
  if decision.action ~= "shift" and decision.action ~= "promote" then return decision end
  local open, time = at_work(ctx.params)
  if open then return decision end
  return { action = "hold", after = 600,
    reason = ("outside of %d to %d o'clock: it is %s"):format(ctx.params.from, ctx.params.to, time) }
end

return gate
