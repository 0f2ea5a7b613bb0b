--- What busted found, as JSON lines: each test that did not pass, then the counts.

local json = require("json")

return function()
  local busted = require("busted")
  local handler = require("busted.outputHandlers.base")()

  local function tell(kind, list)
    for _, item in ipairs(list) do
      local message = type(item.message) == "string" and item.message or item.message and tostring(item.message) or nil
      io.stdout:write(json.encode({ kind = kind, name = item.name, message = message }), "\n")
    end
  end

  handler.suiteEnd = function()
    tell("failure", handler.failures)
    tell("error", handler.errors)
    io.stdout:write(json.encode({ kind = "specs", successes = handler.successesCount, failures = handler.failuresCount,
      errors = handler.errorsCount, pending = handler.pendingsCount }), "\n")
    return nil, true
  end

  busted.subscribe({ "suite", "end" }, handler.suiteEnd)
  return handler
end
