--- `serin sandbox`: the embedded cluster by itself, for kubectl and for trying policies.

local kubeconfig = require("cli.kubeconfig")

local sandbox = {}

local USAGE = [[
usage: serin sandbox [-port=N] [-speed=N] [-rate=N] [-kubeconfig=FILE] [MANIFEST...]
  -port=0            of the API server and its Prometheus on 127.0.0.1; 0 means any
  -speed=1           how many times faster than the wall's its time passes
  -rate=100          requests per second at the apex of every Canary
  -kubeconfig=FILE   where to write the kubeconfig; a temporary file without it
]]
local NUMBERS = { port = { 0, 65535 }, speed = { 0.001, 1000 }, rate = { 0, 1e6 } }

local function number(name, text)
  local value, bounds = tonumber(text), NUMBERS[name]
  if value and name == "port" then value = math.tointeger(value) end
  return value and value >= bounds[1] and value <= bounds[2] and value or nil
end

--- Takes one argument (and perhaps the next) into `options`. Returns the last index used, or nil and a message.
local function take(options, args, index)
  local name, equals, value = args[index]:match("^%-%-?(%a+)(=?)(.*)$")
  if not name then
    options.files[#options.files + 1] = args[index]
    return index
  end
  if not NUMBERS[name] and name ~= "kubeconfig" then return nil, "unknown flag " .. args[index] end
  if equals == "" then index, value = index + 1, args[index + 1] end
  options[name] = NUMBERS[name] and number(name, value) or name == "kubeconfig" and value or nil
  if not options[name] then return nil, ("bad value of -%s: %s"):format(name, value or "none") end
  return index
end

--- The options and files of a command line, or nil and what is wrong with it.
function sandbox.parse(args)
  local options, index = { port = 0, speed = 1, rate = 100, files = {} }, 1
  while args[index] do
    local last, message = take(options, args, index)
    if not last then return nil, message end
    index = last + 1
  end
  return options
end

local function read(path)
  local file, message = io.open(path)
  if not file then return nil, message end
  local text = file:read("a")
  file:close()
  return text
end

local function fail(streams, message)
  streams.err:write("serin sandbox: ", message, "\n")
  return 1
end

--- Starts the cluster; the loop runs until a signal.
function sandbox.run(args, streams)
  if args[1] == "-help" or args[1] == "--help" then
    streams.out:write(USAGE)
    return 0
  end
  local options, message = sandbox.parse(args)
  if not options then
    streams.err:write("serin sandbox: ", message, "\n", USAGE)
    return 2
  end
  local clock = require("clock")
  clock.rate(options.speed)
  local world = require("sandbox.world").new({ start = clock.now(), rate = options.rate })
  for _, path in ipairs(options.files) do
    local text
    text, message = read(path)
    if not text then return fail(streams, message) end
    _, message = world:try(text)
    if message then return fail(streams, path .. ": " .. message) end
  end
  local listening
  local handler = require("sandbox.http").handler(world)
  listening, message = require("server").listen({ port = options.port, handler = handler })
  if not listening then return fail(streams, message) end
  local path
  path, message = kubeconfig.write(listening:port(), options.kubeconfig)
  if not path then return fail(streams, message) end
  world:follow(clock)
  local address = "http://127.0.0.1:" .. listening:port()
  streams.out:write(("API server and Prometheus: %s\nexport KUBECONFIG=%s\n"):format(address, path))
  streams.out:flush()
end

return sandbox
