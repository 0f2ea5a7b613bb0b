--- Random programs and random frames: a worker may be lost, the engine never.
local T = require("T")
local script = require("script")
local escapes = require("spec.support.escapes")
local programs = require("spec.support.programs")

local PROGRAMS = tonumber(os.getenv("SERIN_PROGRAMS") or 60)

local LEGAL = { TIMEOUT = true, MEMORY = true, SCRIPT = true, TOO_LARGE = true }

describe("the engine", function()
  setup(function()
    T.log_to("/dev/null")
    T.workers("")
    script.setup({})
  end)

  teardown(function()
    script.setup({})
    T.log_to()
  end)

  it("survives random programs, and so does the interpreter", function()
    for seed = 1, PROGRAMS do
      local source = programs.make(seed)
      local result, message, code = T.run(function()
        return script.run(source, nil, nil, { name = "program_" .. seed })
      end)
      assert.is_true(result == 1 or LEGAL[code], message)
    end
  end)

  it("survives random frames, and the innocent ends", function()
    script.setup({ workers = 1 })
    for seed = 1, 40 do
      local source = ("local s = %q return function() attack.write(0, s) pause() return 1 end"):format(
        programs.frame(seed))
      local ends, message, innocent = escapes.attempt(source, { name = "frame_" .. seed, calls = escapes.calls,
        deadline = 1 })
      assert.equal(escapes.SUM, innocent)
      assert.is_true(ends == "CRASH" or ends == "TIMEOUT", ends .. " " .. tostring(message))
    end
  end)
end)
