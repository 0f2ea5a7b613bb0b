--- Whether the router of the provider can do what the spec asks of it.

local list = require("util.list")
local registry = require("canary.registry")

local capable = {}

local function unsupported(message, ...)
  return { problem = message:format(...), reason = "Unsupported" }
end

local function matches(canary, router)
  if canary.strategy == "ab-testing" and not router.matches then
    return unsupported("spec.analysis.match: expected a provider that routes by headers, found %s", canary.provider)
  end
end

local function mirrors(canary, router)
  if not canary.analysis.mirror or router.mirrors == true then return nil end
  if router.mirrors == "bluegreen" and canary.strategy == "blue-green" then return nil end
  if router.weighted then
    return unsupported("spec.analysis.mirror: expected a provider that mirrors in this strategy, found %s",
      canary.provider)
  end
  canary.analysis.mirror = false
end

local function kind_of_route(canary, router)
  local kind = canary.service.route_kind
  if not kind or list.set(router.route_kinds or {})[kind] then return nil end
  if not router.route_kinds then
    return unsupported("spec.service.routeKind: expected a provider gatewayapi or linkerd beside it, found %s",
      canary.provider)
  end
  return unsupported("spec.service.routeKind: expected %s with provider %s, found %s",
    table.concat(router.route_kinds, " or "), canary.provider, kind)
end

local function unfit(canary, router)
  local why = router.unfit and router.unfit(canary)
  return why and { problem = why, reason = "Unsupported" } or nil
end

--- nil, or a stop that names the field which the router cannot serve. COMPAT: a provider without routes of its own
--- gets what it can do instead.
function capable.check(ctx)
  local canary, router = ctx.canary, ctx.router
  if not router.weighted and not router.matches then registry.nominal(ctx) end
  for _, check in ipairs({ matches, mirrors, kind_of_route, unfit }) do
    local stop = check(canary, router)
    if stop then return stop end
  end
end

return capable
