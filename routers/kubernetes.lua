--- No mesh: the apex Service selects the primary's pods all the time, the canary is tested through its own.

local kubernetes = {
  name = "kubernetes",
  aliases = {},
  weighted = false,
  mirrors = false,
  matches = false,
  affinity = false,
  resolution = 100,
}

function kubernetes.reads()
  return {}
end

function kubernetes.prepare()
  return {}
end

--- Nothing is routed; a run is told by its iterations.
function kubernetes.routes(canary)
  local running = canary.iterations > 0
  return { primary = running and 0 or 100, canary = running and 100 or 0, mirrored = false }
end

function kubernetes.shift()
  return {}
end

function kubernetes.restore()
  return {}
end

return kubernetes
