--- The engine dies at every write of a whole release, before it is sent and after it took effect. What the
--- next one makes of it is what an undisturbed engine makes.

local recorded = require("spec.support.recorded")
local stories = require("spec.support.stories")

local function same(calm, run, when)
  assert.same({}, recorded.compare(calm, stories.remains(run)), when)
end

local MOMENTS = { "before", "after" }

for _, story in ipairs(stories.list) do
  describe("a death in the release " .. story.name, function()
    local calm, writes

    lazy_setup(function()
      local run = stories.play(story)
      calm, writes = stories.remains(run), run.world.api:writes()
    end)

    for _, moment in ipairs(MOMENTS) do
      it(("%s each write ends as if nothing had happened"):format(moment), function()
        for n = 1, writes do
          local run = stories.play(story, function(started) started.driver:kill_after(n, moment) end)
          same(calm, run, ("killed %s write %d of %d"):format(moment, n, writes))
        end
      end)
    end

    it("is really met at each of them", function()
      local run = stories.play(story, function(started) started.driver:kill_after(writes, "after") end)
      assert.equal(1, run.driver.deaths)
    end)

    it("twice, the second time on the way back, ends the same", function()
      for n = 1, writes do
        local run = stories.play(story, function(started) started.driver:kill_after(n, "after", 2) end)
        same(calm, run, ("killed twice from write %d on"):format(n))
      end
    end)
  end)
end
