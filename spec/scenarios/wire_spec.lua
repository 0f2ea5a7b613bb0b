--- What goes over the wire: `serin run` itself, with a receiver of webhooks and a chat in a process of their own, over
--- HTTP and TLS. Every call of a run is compared with a golden file, spec/fixtures/wire/<story>.txt.

local T = require("T")
local clock, digest, json, server = require("clock"), require("digest"), require("json"), require("server")
local kubeconfig = require("cli.kubeconfig")
local manifests = require("spec.support.manifests")

local RATE, PATIENCE = 40, 120 -- virtual seconds in one of ours; real seconds a story may take
local SELF = io.open("/proc/self/cmdline"):read("a"):match("^[^%z]+")
local PROGRAM = SELF:gsub("serin_test$", "serin")

local OBJECTS = [[
---
apiVersion: v1
kind: Secret
metadata: {name: hooks, namespace: demo}
data: {token: dDA=, hmac.key: aw==, ca.crt: %s}
---
apiVersion: flagger.app/v1beta1
kind: AlertProvider
metadata: {name: chat, namespace: demo}
spec: {type: slack, channel: releases, address: "https://127.0.0.1:%d/chat"}
---
apiVersion: flagger.app/v1beta1
kind: AlertProvider
metadata: {name: teams, namespace: demo}
spec: {type: msteams, address: "http://127.0.0.1:%d/teams"}
]]

local ALERTS = "alerts: [{name: all, severity: info, providerRef: {name: chat}}, " ..
  "{name: errors, severity: error, providerRef: {name: teams}}]"

--- Hooks alternate between plain HTTP and TLS with the Secret; `refuse` names the one that says no.
local function hooks(kinds, plain, secure, refuse)
  local out = {}
  for index, kind in ipairs(kinds) do
    local where = kind == refuse and "/403/" or "/"
    if index % 2 == 1 then
      out[index] = ("{name: %s, type: %s, url: 'http://127.0.0.1:%d%s%s', metadata: {k: <v>}}"):format(
        kind, kind, plain, where, kind)
    else
      out[index] = ("{name: %s, type: %s, url: 'https://127.0.0.1:%d%s%s', secretRef: {name: hooks}, payload: full}")
        :format(kind, kind, secure, where, kind)
    end
  end
  return "webhooks: [" .. table.concat(out, ", ") .. "]"
end

local KINDS = { "confirm-rollout", "pre-rollout", "rollout", "confirm-traffic-increase", "confirm-promotion",
  "post-rollout", "event" }
local STORIES = {
  promoted = { kinds = KINDS, ends = "Succeeded" },
  ["rolled back by a pre-rollout hook"] = { kinds = KINDS, ends = "Failed", refuse = "pre-rollout" },
  ["waiting for approval"] = { kinds = KINDS, ends = "Waiting", refuse = "confirm-rollout" },
}

local folder = os.tmpname()

local function read(name)
  local file <close> = assert(io.open(name, "rb"))
  return file:read("a")
end

local function start(command)
  local pipe = assert(io.popen(("sh -c '%s' & echo $!"):format(command)))
  local pid = math.tointeger(tonumber(pipe:read("l")))
  pipe:close()
  return pid
end

local function await(what, done)
  local deadline = os.time() + PATIENCE
  while not done() do
    assert(os.time() < deadline, what .. " did not happen; see " .. folder)
    T.spin(0.01)
  end
end

local function ports_of(path)
  local plain, secure
  await("the receiver", function()
    local file = io.open(path)
    plain, secure = (file and file:read("a") or ""):match("(%d+)%s+(%d+)\n")
    if file then file:close() end
    return secure
  end)
  return math.tointeger(plain), math.tointeger(secure)
end

--- Plays a story; gives the calls in their order.
local function play(story)
  os.execute(("rm -f %s/calls %s/ports"):format(folder, folder))
  local receiver = start(("exec %s spec/support/recorder.lua %s/calls %s/crt %s/key >%s/ports 2>>%s/log"):format(SELF,
    folder, folder, folder, folder, folder))
  local plain, secure = ports_of(folder .. "/ports")
  clock.rate(RATE)
  local world = require("sandbox.world").new({ start = clock.now(), rate = 20 })
  local listening = assert(server.listen({ port = 0, handler = require("sandbox.http").handler(world) }))
  local config = assert(kubeconfig.write(listening:port()))
  local unfollow = world:follow(clock)
  world:apply(OBJECTS:format(digest.base64(read(folder .. "/crt")), secure, plain) .. manifests.deployment("app") ..
    manifests.canary("app", { analysis = "interval: 10s, threshold: 1, maxWeight: 50, stepWeight: 50, " .. ALERTS ..
      ", " .. hooks(story.kinds, plain, secure, story.refuse) }))
  local engine = start(("exec env SSL_CERT_FILE=%s/crt SERIN_CLOCK_RATE=%d %s run -kubeconfig %s -metrics-server %s " ..
    "-port 0 >>%s/log 2>&1"):format(folder, RATE, PROGRAM, config, "http://127.0.0.1:" .. listening:port(), folder))
  local function phase()
    local canary = world:get("Canary", "demo", "app")
    return canary and canary.status and canary.status.phase
  end
  await("the initialisation", function() return phase() == "Initialized" end)
  world:set_image("demo", "app", "podinfo:2")
  await("the end", function() return phase() == story.ends end)
  T.spin(1)
  os.execute(("kill -9 %d %d 2>/dev/null"):format(engine, receiver))
  if unfollow then unfollow() end
  listening:close()
  clock.rate(1)
  os.remove(config)
  local calls = {}
  for line in io.lines(folder .. "/calls") do calls[#calls + 1] = assert(json.decode(line)) end
  return calls, { [tostring(plain)] = true, [tostring(secure)] = true }
end

local function sorted(map)
  local out = {}
  for key, value in pairs(map) do out[#out + 1] = key .. ": " .. value end
  table.sort(out)
  return table.concat(out, " | ")
end

--- A call as it is kept: times, checksums and runs are opaque; how long pods take, and how often a hook that refuses is
--- asked until the end, depends on the machine.
local function texts(calls)
  local seen, count, out, refused = {}, 0, {}
  for _, call in ipairs(calls) do
    local body = call.body:gsub('"timestamp":"%d+"', '"timestamp":"T"')
    for _, name in ipairs({ "checksum", "runId" }) do
      body = body:gsub(('"%s":"(%%w+)"'):format(name), function(text)
        if not seen[text] then count, seen[text] = count + 1, count end
        return ('"%s":"#%d"'):format(name, seen[text])
      end)
    end
    if call.headers["Serin-Signature"] then call.headers["Serin-Signature"] = "verified" end
    call.headers["User-Agent"] = call.headers["User-Agent"]:gsub("^serin/.*$", "serin")
    local text = ("%s %s | %s | %s"):format(call.scheme, call.path, sorted(call.headers), body)
    local slow = body:find(" not ready: ", 1, true) or body:find("all the metrics", 1, true)
    local again = call.path:find("/403/", 1, true) and text == refused
    if not slow and not again then out[#out + 1] = text end
    refused = text
  end
  return out
end

local function verify(call)
  local seconds, sum = call.headers["Serin-Signature"]:match("^t=(%d+),v1=(%x+)$")
  assert.equal(digest.hex(digest.hmac_sha256("k", seconds .. "." .. call.body)), sum)
end

--- Chat and hooks are told side by side; each keeps an order of its own.
local function by_receiver(list)
  local out = {}
  for _, path in ipairs({ "chat", "teams", "" }) do
    for _, text in ipairs(list) do
      local chat = text:match("^%a+ /(%a+)")
      chat = (chat == "chat" or chat == "teams") and chat or ""
      if chat == path then out[#out + 1] = text end
    end
  end
  return out
end

describe("over the wire", function()
  setup(function()
    os.remove(folder)
    assert(os.execute("mkdir -p " .. folder))
    assert(os.execute(("cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 " ..
      "-keyout key -out crt -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 2>log"):format(folder)))
  end)
  teardown(function() os.execute("rm -rf " .. folder) end)

  for name, story in pairs(STORIES) do
    it("a run that is " .. name .. " makes the calls of its golden file", function()
      local calls = play(story)
      for _, call in ipairs(calls) do
        if call.headers["Serin-Signature"] then verify(call) end
      end
      local path = ("spec/fixtures/wire/%s.txt"):format(name:gsub(" ", "-"))
      local found = by_receiver(texts(calls))
      if os.getenv("WRITE_GOLDEN") then
        local file <close> = assert(io.open(path, "w"))
        file:write(table.concat(found, "\n"), "\n")
      end
      local golden = {}
      for line in io.lines(path) do golden[#golden + 1] = line end
      assert.same(golden, found)
    end)
  end
end)
