local story = require("cli.story")

--- A world with nothing in it but what a chapter is judged by.
local function at(phase, image)
  return { get = function(_, kind)
    if kind == "Canary" then return { status = phase and { phase = phase } } end
    return { spec = { template = { spec = { containers = { { image = image } } } } } }
  end }
end

local RELEASE = story.chapters[2]

--- What is judged at the last of the phases that follow one another.
local function judged(chapter, image, ...)
  local state, verdict = {}, nil
  for _, phase in ipairs({ ... }) do verdict = story.judge(at(phase, image), chapter, state) end
  return verdict
end

describe("cli.story", function()
  it("sees a chapter end when its phase is reached and the primary runs the right image", function()
    assert.is_true(judged(RELEASE, RELEASE.primary, "Progressing", "Succeeded"))
  end)

  it("is not content with a primary that runs another image", function()
    assert.is_false(judged(RELEASE, "podinfo:6.0.0", "Progressing", "Succeeded"))
  end)

  it("is not content with another end", function()
    assert.is_false(judged(RELEASE, RELEASE.primary, "Progressing", "Failed"))
  end)

  it("does not take the end of the chapter before for its own", function()
    assert.is_nil(judged(RELEASE, RELEASE.primary, "Initialized"))
  end)

  for _, phase in ipairs({ "Progressing", "Promoting", "Finalising", "Waiting", "Initializing" }) do
    it("goes on while the phase is " .. phase, function()
      assert.is_nil(judged(RELEASE, RELEASE.primary, phase))
    end)
  end

  it("waits for a Canary that has no status, or is not there", function()
    assert.is_nil(judged(story.chapters[1], "podinfo:6.0.0", false))
    assert.is_nil(story.judge({ get = function() end }, story.chapters[1], {}))
  end)

  it("releases at last what fails, and wants the primary to stay", function()
    assert.truthy(story.chapters[3].said:find("fails 10 %", 1, true))
    assert.equal(RELEASE.primary, story.chapters[3].primary)
  end)
end)
