--- `serin version`: which program this is.

local version = {}

-- How to ask for each form.
local FORMS = {
  [""] = "text", ["--output text"] = "text", ["--output=text"] = "text", ["-o text"] = "text",
  ["--output json"] = "json", ["--output=json"] = "json", ["-o json"] = "json",
}

--- The line that `serin run -version` prints too. COMPAT: its words, but for the name, are Flagger's.
function version.line()
  local build = require("build")
  return ("Serin version %s revision %s\n"):format(build.version, build.revision)
end

local function json_line()
  local build = require("build")
  return require("json").encode({ name = "serin", version = build.version, revision = build.revision }) .. "\n"
end

--- Prints it, as text or as JSON. Returns the exit code.
function version.run(args, streams)
  local form = FORMS[table.concat(args, " ")]
  if not form then
    streams.err:write(("serin version: expected --output text or --output json, found %q\n")
      :format(table.concat(args, " ")))
    return 2
  end
  streams.out:write(form == "json" and json_line() or version.line())
  return 0
end

return version
