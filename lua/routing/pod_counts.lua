--- How many pods a share of the traffic takes, and whether workloads have them.

local list = require("util.list")
local object = require("util.object")
local shape = require("routing.shape")

local counts = {}

--- How many pods a workload is asked to have.
function counts.wanted(workload) return workload.spec.replicas or 1 end

--- A number of its status, 0 without one.
function counts.of_status(workload, field) return (workload.status or {})[field] or 0 end

--- How many pods of the canary give it at most `weight`, beside all of the primary's; one at least.
function counts.of_share(weight, primary)
  local all = math.max(1, counts.wanted(primary))
  if weight == 100 then return all end
  return math.max(1, math.min(all, weight * all // (100 - weight)))
end

--- True when the canary has some ready pods and none too many, by a status that is not older than what is asked for.
function counts.is_within(workload, count)
  return counts.of_status(workload, "observedGeneration") >= (workload.metadata.generation or 0)
    and math.max(counts.wanted(workload), counts.of_status(workload, "replicas")) <= count
    and counts.of_status(workload, "availableReplicas") > 0
end

--- Why the pods of a workload are not among those that the Service selects for both arms, or nil.
function counts.unlabelled(canary, workload)
  local labels = object.at(workload, "spec", "template", "metadata", "labels") or {}
  for _, key in ipairs(list.keys(canary.service.selector)) do
    local value = canary.service.selector[key]
    if key == canary.target.label or labels[key] ~= value then
      return shape.odd(workload, "spec.template.metadata.labels",
        ("is without %s=%s beside %s, which spec.service.selector expects in both arms"):format(key, value,
          canary.target.label))
    end
  end
end

return counts
