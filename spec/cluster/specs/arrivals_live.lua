--- What arrives where: the share of each weight, the copies of a mirror, the requests that match. All canaries at once,
--- each held where it is looked at.

local story = require("spec.cluster.story")
local support = require("spec.cluster.support")
local traffic = require("spec.cluster.traffic")

local OLD, NEW = "6.0.0", "6.0.1"
local REQUESTS = 10000 -- a share is measured over so many
local SHARED = { "traefik", "gateway", "envoygateway", "nginx", "contour", "istio" }
local MATCHED = { "gateway", "envoygateway", "nginx", "contour", "istio" }
local MIRRORED = { "meshgateway", "envoygateway", "istio" }
local COPIED, TESTED = 2000, 300
local WEIGHTS = { 0.5, 20, 50 }
local PODS = { [0.5] = 1, [20] = 1, [50] = 2 } -- of the canary, by the steps of the manifest
-- Weight -> by how many points its share may be off: of the first four standard deviations, so that no whole percent is
-- taken for it.
local POINTS = { [0.5] = 0.3, [20] = 2, [50] = 2 }

describe("requests that arrive", function()
  local engine
  local held, matched, mirrored = {}, {}, {}
  local shares, pods, matches, copies = {}, {}, {}, {}

  local function all()
    local out = {}
    for _, group in ipairs({ held, matched, mirrored }) do
      for _, one in pairs(group) do out[#out + 1] = one end
    end
    return out
  end

  --- Pauses each story as soon as its `ready(status, story)` holds, all in one round: there is an interval's time for
  -- each. `groups` = list of { stories, ready }.
  local function hold(what, groups)
    local left = {}
    for _, group in ipairs(groups) do
      for _, one in pairs(group[1]) do left[one] = group[2] end
    end
    local waiting = {}
    local function there(one) return left[one](one:status(), one) end
    support.wait_until(what, 120, function()
      waiting = {}
      for one in pairs(left) do
        if not one.held then
          one.held = there(one)
          if one.held then one:ask("pause") else waiting[#waiting + 1] = one.namespace end
        end
      end
      return #waiting == 0
    end, function() return table.concat(waiting, ", ") .. " is not there" end)
    for one in pairs(left) do
      support.wait_until(one.namespace .. " is held", 60, function() return one:status().paused end)
      assert(there(one), one.namespace .. " was held too late")
    end
  end

  local function has_weight(weight)
    return function(status) return status.phase == "Progressing" and status.canaryWeight == weight end
  end

  -- A canary's status has no word for it.
  local function mirrors(status, one)
    if status.phase ~= "Progressing" or status.canaryWeight ~= 0 then return false end
    local before = traffic.arrived(one.namespace)[NEW] or 0
    support.run("curl", "-s", "-o", "/dev/null", "-H", "Host: " .. one.host, one.url)
    support.sleep(0.5)
    return (traffic.arrived(one.namespace)[NEW] or 0) > before
  end

  local function resume()
    for _, one in pairs(held) do
      one:ask("resume")
      one.held = false
    end
  end

  --- Waits until the proxy goes by what the API server holds, then sends requests.
  local function measure(weight)
    support.sleep(1)
    shares[weight], pods[weight] = {}, {}
    for name, one in pairs(held) do
      pods[weight][name] = support.get("deployment", one.namespace, "app").spec.replicas
      shares[weight][name] = traffic.burst(name, one.url, one.host, REQUESTS)
    end
  end

  local function measure_mirror()
    for name, one in pairs(mirrored) do
      local before = traffic.arrived(one.namespace)[NEW]
      local seen = traffic.burst(name, one.url, one.host, COPIED)
      support.sleep(1)
      copies[name] = { seen = seen, arrived = traffic.arrived(one.namespace)[NEW] - before }
    end
  end

  local function measure_match()
    for name, one in pairs(matched) do
      support.wait_until(name .. " has begun", 120, function() return (one:status().iterations or 0) > 0 end)
    end
    support.sleep(1)
    for name, one in pairs(matched) do
      matches[name] = {
        insiders = traffic.with_header(one.url, one.host, "x-canary: insider", TESTED),
        strangers = traffic.with_header(one.url, one.host, "x-canary: outsider", TESTED),
      }
    end
  end

  setup(function()
    support.install()
    engine = support.engine()
    local run = ("%x"):format(os.time())
    for _, name in ipairs(SHARED) do held[name] = story.new(name, run, "held") end
    for _, name in ipairs(MATCHED) do matched[name] = story.new(name, run, "matched") end
    for _, name in ipairs(MIRRORED) do mirrored[name] = story.new(name, run, "mirrored") end
    for _, one in ipairs(all()) do one:wait_for("Initialized", 120) end
    for _, one in ipairs(all()) do
      one:wait_for_proxy()
      one:upgrade("podinfo:" .. NEW)
    end
    hold("each canary has its first weight or mirrors", { { held, has_weight(WEIGHTS[1]) }, { mirrored, mirrors } })
    measure(WEIGHTS[1])
    measure_mirror()
    measure_match()
    for index = 2, #WEIGHTS do
      resume()
      hold(("each canary has weight %g"):format(WEIGHTS[index]), { { held, has_weight(WEIGHTS[index]) } })
      measure(WEIGHTS[index])
    end
  end)

  teardown(function()
    if engine then engine.stop() end
    for _, one in ipairs(all()) do support.run("kubectl", "delete", "namespace", one.namespace, "--wait=false") end
  end)

  for _, weight in ipairs(WEIGHTS) do
    for _, name in ipairs(SHARED) do
      it(("reach the canary by its weight of %g: %s"):format(weight, name), function()
        local seen = shares[weight][name]
        assert.equal(REQUESTS, seen.total)
        assert.equal(0, seen.errors)
        local percent = 100 * (seen.versions[NEW] or { total = 0 }).total / seen.total
        assert.is_true(math.abs(percent - weight) <= POINTS[weight], ("%.2f%% arrived"):format(percent))
      end)

      it(("find the pods of the step at weight %g: %s"):format(weight, name), function()
        assert.equal(PODS[weight], pods[weight][name])
      end)
    end
  end

  for _, name in ipairs(MIRRORED) do
    it("are answered by the primary while they are mirrored: " .. name, function()
      assert.same({ [OLD] = { total = COPIED, errors = 0 } }, copies[name].seen.versions)
    end)

    it("reach the canary as copies, each once: " .. name, function()
      assert.equal(COPIED, copies[name].arrived)
    end)
  end

  for _, name in ipairs(MATCHED) do
    it("reach the canary where they match: " .. name, function()
      assert.same({ [NEW] = { total = TESTED, errors = 0 } }, matches[name].insiders.versions)
    end)

    it("reach the primary where they do not match: " .. name, function()
      assert.same({ [OLD] = { total = TESTED, errors = 0 } }, matches[name].strangers.versions)
    end)
  end
end)
