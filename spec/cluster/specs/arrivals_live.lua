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
-- Weight -> by how many points its share may be off: of the first four standard deviations, so that no whole percent is
-- taken for it.
local POINTS = { [0.5] = 0.3, [20] = 2, [50] = 2 }

describe("requests that arrive", function()
  local engine
  local held, matched, mirrored = {}, {}, {}
  local shares, matches, copies = {}, {}, {}

  local function all()
    local out = {}
    for _, group in ipairs({ held, matched, mirrored }) do
      for _, one in pairs(group) do out[#out + 1] = one end
    end
    return out
  end

  --- Pauses each story as soon as `ready(status)` holds.
  local function hold(group, what, ready)
    local left = {}
    for name, one in pairs(group) do left[name] = one end
    support.wait_until(what, 120, function()
      for name, one in pairs(left) do
        if ready(one:status()) then
          one:ask("pause")
          left[name] = nil
        end
      end
      return next(left) == nil
    end, function() return table.concat(require("util.list").keys(left), ", ") .. " is not there" end)
    for name, one in pairs(group) do
      support.wait_until(name .. " is held", 60, function() return one:status().paused end)
    end
  end

  --- Waits until the proxy goes by what the API server holds, then sends requests.
  local function measure(weight)
    hold(held, ("each canary has weight %g"):format(weight), function(status) return status.canaryWeight == weight end)
    support.sleep(1)
    shares[weight] = {}
    for name, one in pairs(held) do shares[weight][name] = traffic.burst(name, one.url, one.host, REQUESTS) end
  end

  local function resume()
    for _, one in pairs(held) do one:ask("resume") end
  end

  local function measure_mirror()
    hold(mirrored, "each mirroring canary is analysed", function(status) return status.phase == "Progressing" end)
    for name, one in pairs(mirrored) do
      support.wait_until(name .. " mirrors", 60, function()
        local before = traffic.arrived(one.namespace)[NEW] or 0
        support.run("curl", "-s", "-o", "/dev/null", "-H", "Host: " .. one.host, one.url)
        support.sleep(0.5)
        return (traffic.arrived(one.namespace)[NEW] or 0) > before
      end)
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
    measure(WEIGHTS[1])
    measure_mirror()
    resume()
    measure_match()
    measure(WEIGHTS[2])
    resume()
    measure(WEIGHTS[3])
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
