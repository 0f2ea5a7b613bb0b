--- Scripts that try to get out of their worker, or to outlive their time in it. Each has an innocent script beside it,
--- in the same worker; the timer on the loop shows that the engine's loop turns meanwhile.
local T = require("T")
local script = require("script")
local escapes = require("spec.support.escapes")

-- What nothing in a worker may ask of the kernel, each with arguments that are all 0.
local CALLS = { "fork", "execve", "socket", "connect", "kill", "tgkill", "ptrace", "dup", "close", "fcntl", "ioctl",
  "sendmsg", "recvmsg", "prctl", "seccomp", "prlimit64", "unshare", "mount", "chroot", "setuid", "nanosleep", "pread64",
  "process_vm_readv", "shmget", "memfd_create", "io_uring_setup", "bpf", "userfaultfd", "getdents64", "uname", "getuid",
  "timer_create", "rt_sigaction", "getrandom" }

local corpus = escapes.all()

describe("an escape", function()
  setup(function()
    T.log_to("/dev/null")
    T.workers("")
    script.setup({ workers = 1 })
  end)

  teardown(function()
    script.setup({})
    T.log_to()
  end)

  for _, escape in ipairs(corpus) do
    it(escape.name .. " ends as " .. escape.ends, function()
      local endless = escape.ends:find("TIMEOUT", 1, true) -- the others have time, also on a slow machine
      local before = script.stats().quarantined
      local ends, message, innocent, ticks = escapes.attempt(escape.source, { name = escape.name,
        calls = escapes.calls, burst = endless and 0.1 or 3, budget = endless and 0.5 or 6, deadline = 20 })
      if ends == "TIMEOUT" and script.stats().quarantined > before then ends = "TIMEOUT lost" end
      if escape.ends == "TIMEOUT either" then ends = ends:gsub("^TIMEOUT.*$", escape.ends) end
      assert.equal(escape.ends, endless and ends or ends:sub(1, #escape.ends), message)
      assert.equal(escapes.SUM, innocent)
      assert.is_true(ticks >= (endless and 3 or 0), "the loop stood still")
    end)
  end

  for _, call in ipairs(CALLS) do
    it("by the system call " .. call .. " ends the worker", function()
      local source = ("return function() return pcall(attack.call, %q) end"):format(call)
      local ends, message, innocent = escapes.attempt(source, { name = "call_" .. call, calls = escapes.calls })
      assert.equal("CRASH", ends)
      assert.equal("call_" .. call .. ": its worker made a system call that is not allowed", message)
      assert.equal(escapes.SUM, innocent)
    end)
  end

  it("is one of many", function() assert.is_true(#corpus >= 104 and #corpus + #CALLS >= 150) end)
end)
