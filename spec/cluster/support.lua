--- What specs on the real control plane share: kubectl, waiting, processes in the background, the engine itself.
--- They run inside the cluster's network: spec/cluster/exec build/asan/serin_test $(command -v busted) ...

local json = require("json")

local support = {}

local STATE = (os.getenv("CLUSTER_DIR") or ".") .. "/specs"
local ACCOUNT, NAMESPACE = "serin", "serin-system"
local ENGINE_PORT = 18080

--- A text as one word of a shell command.
function support.quote(text)
  return "'" .. tostring(text):gsub("'", "'\\''") .. "'"
end

local function words(...)
  local out = {}
  for index, word in ipairs({ ... }) do out[index] = support.quote(word) end
  return table.concat(out, " ")
end

--- A path in the folder where a run keeps its files.
function support.path(name)
  os.execute("mkdir -p " .. support.quote(STATE))
  return STATE .. "/" .. name
end

function support.read(path)
  local file <close> = io.open(path, "rb")
  return file and file:read("a") or ""
end

local function save(name, text)
  local path = support.path(name)
  local file <close> = assert(io.open(path, "wb"))
  file:write(text)
  return path
end

--- What a command prints, and whether it succeeded.
function support.run(...)
  local pipe = assert(io.popen(words(...) .. " 2>&1"))
  local text = pipe:read("a")
  return text, pipe:close() == true
end

--- What kubectl prints; raises what it complains about.
function support.kubectl(...)
  local text, ok = support.run("kubectl", ...)
  if not ok then error("kubectl " .. table.concat({ ... }, " ") .. ": " .. text, 2) end
  return text
end

--- Applies manifests given as text.
function support.apply(text)
  return support.kubectl("apply", "-f", save(("apply-%d.yaml"):format(support.next_number()), text))
end

local count = 0
function support.next_number()
  count = count + 1
  return count
end

--- An object as a table, or nil when it cannot be read.
function support.get(kind, namespace, name)
  local text, ok = support.run("kubectl", "-n", namespace, "get", kind, name, "-o", "json")
  if not ok then return nil, text end
  return assert(json.decode(text))
end

function support.sleep(seconds)
  os.execute("sleep " .. seconds)
end

--- Asks until `probe` gives something true, and gives that. `tell` says at the end what was there instead.
function support.wait_until(what, seconds, probe, tell)
  local deadline = os.time() + seconds
  repeat
    local value = probe()
    if value then return value end
    support.sleep(0.5)
  until os.time() > deadline
  error(("not within %d s: %s; there was: %s"):format(seconds, what, tell and tell() or "nothing"), 2)
end

-- Processes ------------------------------------------------------------------------------------------------

-- One that has ended and that init has not yet buried is dead.
local function alive(pid)
  local file <close> = io.open(("/proc/%d/stat"):format(pid))
  local state = file and (file:read("a") or ""):match("^%d+ %(.*%) (%a)")
  return state ~= nil and state ~= "Z"
end

--- Starts a shell command in a process group of its own; its output goes to the file of that name.
--- Gives { pid, path, stop(signal), alive() }.
function support.start(name, command)
  local path = support.path(name)
  local pipe = assert(io.popen(("setsid sh -c %s </dev/null >%s 2>&1 & echo $!"):format(
    support.quote(command), support.quote(path))))
  local process = { pid = math.tointeger(tonumber(pipe:read("l"))), path = path }
  pipe:close()
  function process.alive() return alive(process.pid) end
  --- Ends the group and waits for it; one that does not go within 20 s is killed.
  function process.stop(signal)
    if not alive(process.pid) then return end
    os.execute(("kill -s %s -- -%d 2>/dev/null"):format(signal or "TERM", process.pid))
    for _ = 1, 200 do
      if not alive(process.pid) then return end
      support.sleep(0.1)
    end
    os.execute(("kill -s KILL -- -%d 2>/dev/null"):format(process.pid))
  end
  return process
end

--- Records each version of an object (of all of the kind, without a name) as one line, made by a jsonpath.
--- Gives { lines(), stop() }.
function support.record(kind, namespace, name, jsonpath)
  local process = support.start(("watch-%s-%s-%d"):format(namespace, kind:match("^[^.]+"), support.next_number()),
    "exec " .. words("kubectl", "-n", namespace, "get", name and kind .. "/" .. name or kind, "--watch", "-o",
      "jsonpath=" .. jsonpath .. '{"\\n"}'))
  return {
    stop = process.stop,
    lines = function()
      local out = {}
      for line in support.read(process.path):gmatch("([^\n]+)") do
        line = line:gsub("%s+$", "")
        if out[#out] ~= line then out[#out + 1] = line end
      end
      return out
    end,
  }
end

-- The engine -----------------------------------------------------------------------------------------------

--- CRDs, account and role, exactly as they ship.
function support.install()
  support.kubectl("apply", "-f", "deploy/namespace.yaml", "-f", "deploy/crd-canaries.yaml",
    "-f", "deploy/crd-metrictemplates.yaml", "-f", "deploy/crd-alertproviders.yaml", "-f", "deploy/rbac.yaml")
  support.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd/canaries.flagger.app",
    "crd/metrictemplates.flagger.app", "crd/alertproviders.flagger.app")
end

local function kubeconfig()
  local token = support.kubectl("-n", NAMESPACE, "create", "token", ACCOUNT, "--duration=2h"):gsub("%s+$", "")
  local admin = assert(json.decode(support.kubectl("config", "view", "--raw", "-o", "json")))
  return save("kubeconfig", json.encode({
    apiVersion = "v1", kind = "Config", ["current-context"] = "spec",
    clusters = json.array({ { name = "spec", cluster = admin.clusters[1].cluster } }),
    users = json.array({ { name = "spec", user = { token = token } } }),
    contexts = json.array({ { name = "spec", context = { cluster = "spec", user = "spec" } } }),
  }))
end

--- The program under test: $SERIN, else the newest build that is there.
local function program()
  for _, path in ipairs({ os.getenv("SERIN") or "", "build/asan/serin", "build/dev/serin", "build/release/serin" }) do
    local file = path ~= "" and io.open(path)
    if file then
      file:close()
      return path
    end
  end
  error("no serin in build/ (and none in $SERIN)")
end

--- Starts the engine under its own account, and waits until it says that it is well.
function support.engine(...)
  local url = ("http://127.0.0.1:%d/healthz"):format(ENGINE_PORT)
  local process = support.start(("engine-%d.log"):format(support.next_number()), "exec " .. words(program(), "run",
    "-kubeconfig", kubeconfig(), "-metrics-server", os.getenv("PROMETHEUS") or "http://127.0.0.1:9090",
    "-port", ENGINE_PORT, "-log-level", "debug", ...))
  support.wait_until("the engine answers " .. url, 60, function()
    if not process.alive() then error("the engine ended:\n" .. support.read(process.path)) end
    local _, ok = support.run("curl", "-sf", "-m", "5", url)
    return ok
  end, function() return support.read(process.path):sub(-2000) end)
  return process
end

--- The requests in the audit log for which `want(entry)` holds: of the engine's account, or of `account`
--- (namespace:name).
function support.audit(want, account)
  local out, user = {}, "system:serviceaccount:" .. (account or NAMESPACE .. ":" .. ACCOUNT)
  for line in io.lines(os.getenv("CLUSTER_DIR") .. "/audit.log") do
    if line:find(user, 1, true) then
      local entry = json.decode(line)
      if entry and entry.user.username == user and want(entry) then out[#out + 1] = entry end
    end
  end
  return out
end

return support
