--- The phases of a Canary, which may follow which, and what each says of itself.

local phase = {}

local ACTIVE = { "Progressing", "WaitingPromotion", "Promoting", "Finalising" }

-- from -> set of next phases. Every phase may also turn into Terminating.
local follows = {
  [""] = { "Initializing" },
  Initializing = { "Initialized" },
  Initialized = { "Waiting", "Progressing" },
  Succeeded = { "Waiting", "Progressing" },
  Failed = { "Waiting", "Progressing", "Promoting" },
  Waiting = { "Progressing", "Failed" },
  Progressing = { "Progressing", "WaitingPromotion", "Promoting", "Failed" },
  WaitingPromotion = { "Progressing", "Promoting", "Failed" },
  Promoting = { "Finalising", "Failed" },
  Finalising = { "Succeeded", "Failed" },
  Terminating = {},
}

local conditions = {
  Initializing = { "Unknown", "New %s detected, starting initialization." },
  Initialized = { "True", "%s initialization completed." },
  Waiting = { "Unknown", "Waiting for approval." },
  WaitingPromotion = { "Unknown", "Waiting for approval." },
  Progressing = { "Unknown", "New revision detected, progressing canary analysis." },
  Promoting = { "Unknown", "Canary analysis completed, starting primary rolling update." },
  Finalising = { "Unknown", "Canary analysis completed, routing all traffic to primary." },
  Succeeded = { "True", "Canary analysis completed successfully, promotion finished." },
  Failed = { "False", "Canary analysis failed, %s scaled to zero." },
  Terminating = { "Unknown", "Canary is being deleted, restoring the target." },
}

--- True when `to` may follow `from`; staying in a phase is no transition and always allowed.
function phase.allowed(from, to)
  if from == to or to == "Terminating" then return true end
  for _, next_phase in ipairs(follows[from] or {}) do
    if next_phase == to then return true end
  end
  return false
end

--- The Promoted condition's status and message in a phase, for a target of `kind`.
function phase.condition(name, kind)
  local entry = conditions[name]
  return entry[1], (entry[2]:gsub("%%s", kind))
end

--- True while the target is not yet under control.
function phase.initial(name)
  return name == "" or name == "Initializing"
end

--- True while a revision is on its way.
function phase.active(name)
  for _, active in ipairs(ACTIVE) do
    if active == name then return true end
  end
  return false
end

return phase
