--- What the path of a request to the API server names.

local paths = {}

local function segments_of(path)
  local out = {}
  for part in (path .. "/"):gmatch("([^/]*)/") do out[#out + 1] = part end
  table.remove(out, 1) -- before the first slash
  if out[#out] == "" then out[#out] = nil end
  return out
end

--- { group =, version =, namespace =, plural =, name =, subresource = } of "/api/v1/..." or "/apis/GROUP/VERSION/...";
--- without `plural` the path names the group version; nil when it names neither.
function paths.parse(path)
  local parts = segments_of(path)
  local out, at
  if parts[1] == "api" and parts[2] then
    out, at = { group = "", version = parts[2] }, 3
  elseif parts[1] == "apis" and parts[2] and parts[3] then
    out, at = { group = parts[2], version = parts[3] }, 4
  else
    return nil
  end
  -- "namespaces/x" and "namespaces/x/status" are about the Namespace x.
  if parts[at] == "namespaces" and parts[at + 2] and parts[at + 2] ~= "status" then
    out.namespace, at = parts[at + 1], at + 2
  end
  out.plural, out.name, out.subresource = parts[at], parts[at + 1], parts[at + 2]
  for index = 1, #parts do
    if parts[index] == "" then return nil end
  end
  return #parts <= at + 2 and out or nil
end

return paths
