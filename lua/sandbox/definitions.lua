--- CustomResourceDefinitions: an applied one makes its kind known, a deleted one takes the kind and its objects away.

local definitions = {}

local function scope_of(spec)
  return { plural = spec.names.plural, namespaced = spec.scope ~= "Cluster", short = (spec.names.shortNames or {})[1] }
end

local function serve(api, spec)
  for _, version in ipairs(spec.versions or {}) do
    local options = scope_of(spec)
    options.status = (version.subresources or {}).status ~= nil
    if version.served ~= false then api.kinds:add(spec.group .. "/" .. version.name, spec.names.kind, options) end
  end
  api.kinds:uninstall(spec.group .. "/" .. spec.names.kind, false)
end

local function withdraw(api, spec)
  local entry = api.kinds:resource(spec.group, spec.names.plural)
  if not entry then return end
  for _, object in ipairs(api.store:all(entry)) do api:drop(entry, object) end
  api.kinds:uninstall(entry.id)
end

--- Keeps the kinds that `api` serves as its CustomResourceDefinitions say.
function definitions.follow(api)
  api.store:subscribe(function(event)
    if event.entry.kind ~= "CustomResourceDefinition" then return end
    local act = event.type == "DELETED" and withdraw or serve
    act(api, event.object.spec)
  end)
end

return definitions
