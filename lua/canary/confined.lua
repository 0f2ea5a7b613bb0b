--- With -no-cross-namespace-refs a Canary may name things of its own namespace only. Looked at in every tick, so
--- that an edit does not get around it.

local confined = {}

local function references(ctx)
  local spec = ctx.object.spec
  local analysis = spec.analysis or spec.canaryAnalysis or {}
  local out = { { "spec.upstreamRef", spec.upstreamRef } }
  for index, metric in ipairs(analysis.metrics or {}) do
    out[#out + 1] = { ("spec.analysis.metrics[%d].templateRef"):format(index - 1), metric.templateRef }
  end
  for index, alert in ipairs(analysis.alerts or {}) do
    out[#out + 1] = { ("spec.analysis.alerts[%d].providerRef"):format(index - 1), alert.providerRef }
  end
  return out
end

--- A stop when a reference leads into another namespace and may not.
function confined.check(ctx)
  if not ctx.host.settings.no_cross_namespace_refs then return nil end
  for _, item in ipairs(references(ctx)) do
    local namespace = type(item[2]) == "table" and item[2].namespace or ""
    if namespace ~= "" and namespace ~= ctx.namespace then
      return { reason = "CrossNamespace",
        problem = ("%s.namespace: expected %s, found %s"):format(item[1], ctx.namespace, tostring(namespace)) }
    end
  end
end

return confined
