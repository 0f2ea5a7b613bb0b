local T = require("T")
local engine, json, kube = require("engine"), require("json"), require("kube")
local api = require("spec.support.api")
local run = require("spec.support.run")

local folder -- of one spec; what is in it goes with it

local function write(name, text)
  local file = assert(io.open(folder .. "/" .. name, "w"))
  file:write(text)
  file:close()
  return folder .. "/" .. name
end

local function read(name)
  local file = io.open(folder .. "/" .. name)
  if not file then return nil end
  local text = file:read("a")
  file:close()
  return text
end

local function script(name, text)
  local path = write(name, "#!/bin/sh\n" .. text)
  assert(os.execute("chmod +x " .. path))
  return path
end

-- A kubeconfig of one cluster, one user and one context; fields are lines of YAML flow maps.
local function config(cluster, user)
  return ([[
apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {%s}}]
users: [{name: u, user: {%s}}]
]]):format(cluster, user)
end

-- A server that wants one of `accepted`; .seen lists what it got.
local function guarded(accepted)
  local a = api.new({ "canaries", "services" })
  a.accepted, a.seen = accepted, {}
  a.lie = function(request)
    local authorization = request.headers("Authorization") or "nobody"
    a.seen[#a.seen + 1] = authorization
    if not a.accepted[authorization] then return api.failure(401, "Unauthorized") end
  end
  return a
end

local function url(a) return ("http://127.0.0.1:%d"):format(a.listener:port()) end

-- The engine against it as the user whose fields are given.
local function start(a, user, cluster)
  os.remove(a.path)
  a.path = write("config", config(("server: %q"):format(url(a)) .. (cluster or ""), user))
  return run.start({ api = a })
end

local function patch()
  return T.run(function() return kube.patch(run.ref("Service", "web"), { spec = { n = 2 } }) end)
end

local function connected(a)
  run.await(function() return a:watched("canaries") end, "the watch")
end

-- What engine.start says about a kubeconfig.
local function refusal(text, options)
  options = options or {}
  local ok, message, code = engine.start({ kubeconfig = text and write("config", text) or options.path,
    master = options.master, canary = run.CANARY, tick = function() end })
  assert.is_nil(ok)
  assert.equal("INVALID", code)
  return (message:gsub(folder:gsub("%p", "%%%0"), "DIR"))
end

local function silenced(fn)
  T.log_to("/dev/null")
  local ok, message = pcall(fn)
  T.log_to()
  if not ok then error(message, 0) end
end

-- An answer of an exec command, as a line of shell.
local function credential(fields, version)
  return ("echo '%s'\n"):format(json.encode({ kind = "ExecCredential",
    apiVersion = "client.authentication.k8s.io/" .. (version or "v1"), status = fields }))
end

local function exec(command, more)
  return ("exec: {apiVersion: client.authentication.k8s.io/v1, command: %q%s}"):format(command, more or "")
end

describe("a kubeconfig", function()
  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder))
  end)

  after_each(function()
    run.stop()
    T.spin(0.02)
    assert(os.execute("rm -r " .. folder))
  end)

  for what, case in pairs({
    ["a token"] = { "token: secret", "Bearer secret" },
    ["a token from a file"] = { "tokenFile: token", "Bearer from-file" },
    ["a token file rather than a token"] = { "token: secret, tokenFile: token", "Bearer from-file" },
    ["a name and a password"] = { "username: me, password: 'p:w'", "Basic bWU6cDp3" },
    ["a token rather than a password"] = { "username: me, password: pw, token: secret", "Bearer secret" },
  }) do
    it("gives " .. what, function()
      local a = guarded({ [case[2]] = true })
      write("token", "\n from-file \n")
      start(a, case[1])
      connected(a)
      assert.equal(case[2], a.seen[1])
    end)
  end

  it("may have a user with nothing", function()
    local a = guarded({ nobody = true })
    start(a, "")
    connected(a)
  end)

  it("reads a token file again after a 401, and repeats the request once", function()
    local a = guarded({ ["Bearer one"] = true })
    write("token", "one")
    start(a, "tokenFile: token")
    connected(a)
    a:put("services", run.service("web"))
    write("token", "two")
    a.accepted = { ["Bearer two"] = true }
    local n = #a.seen
    assert.equal(2, patch().spec.n)
    assert.same({ "Bearer one", "Bearer two", 2 }, { a.seen[n + 1], a.seen[n + 2], #a.seen - n })
  end)

  it("is read again itself after a 401", function()
    local a = guarded({ ["Bearer one"] = true })
    start(a, "token: one")
    connected(a)
    a:put("services", run.service("web"))
    write("config", config(("server: %q"):format(url(a)), "token: two"))
    a.accepted = { ["Bearer two"] = true }
    assert.equal(2, patch().spec.n)
  end)

  it("keeps an old token while its file cannot be read", function()
    local a = guarded({ ["Bearer one"] = true })
    write("token", "one")
    start(a, "tokenFile: token")
    connected(a)
    os.remove(folder .. "/token")
    a.accepted = {}
    assert.same({ "Unauthorized", "FORBIDDEN" }, { select(2, patch()) })
    a:put("services", run.service("web"))
    a.accepted = { ["Bearer one"] = true }
    assert.equal(2, patch().spec.n)
  end)

  it("says FORBIDDEN after a second 401", function()
    local a = guarded({ ["Bearer one"] = true })
    start(a, "token: one")
    connected(a)
    a.accepted = {}
    local n = #a.seen
    assert.same({ "Unauthorized", "FORBIDDEN" }, { select(2, patch()) })
    assert.equal(2, #a.seen - n)
  end)

  it("sends no credentials where a redirect points", function()
    local a, other = guarded({ ["Bearer one"] = true }), guarded({})
    start(a, "token: one")
    connected(a)
    a.lie = function() return { status = 307, headers = { Location = url(other) .. "/x" }, body = "" } end
    assert.same({ "HTTP 307", "BAD_ANSWER" }, { select(2, patch()) })
    assert.same({}, other.seen)
    other:close()
    os.remove(other.path)
  end)

  it("may have a server with a path and a slash at its end", function()
    local a, path = guarded({ ["Bearer one"] = true }), nil
    local lie = a.lie
    a.lie = function(request)
      path = request.path
      return lie(request) or api.answer(200, "{}")
    end
    silenced(function()
      os.remove(a.path)
      a.path = write("config", config(("server: %q"):format(url(a) .. "/k8s/c1//"), "token: one"))
      run.start({ api = a })
      run.await(function() return path end, "a request")
    end)
    assert.equal("/k8s/c1/apis/flagger.app/v1beta1/canaries", path)
  end)

  it("takes its server from the master, also without a scheme", function()
    local a = guarded({ ["Bearer one"] = true })
    os.remove(a.path)
    a.path = write("config", config('server: "https://nowhere.invalid"', "token: one"))
    run.current = { api = a }
    assert(engine.start({ kubeconfig = a.path, master = "127.0.0.1:" .. a.listener:port(), canary = run.CANARY,
      tick = function() end }))
    connected(a)
  end)

  local good = 'server: "http://127.0.0.1:1"'
  local pem = "LS0tLS1CRUdJTiBY" -- "-----BEGIN X"
  local wrong = {
    { config(good, "token: 5"), "DIR/config: user 'u': token: expected a text, found a number" },
    { config(good, "tokenFile: nope"), "cannot read DIR/nope: No such file or directory" },
    { config(good, "client-certificate: nope, client-key: nope"), "cannot read DIR/nope: No such file or directory" },
    { config(good, "client-certificate-data: " .. pem),
      "DIR/config: user 'u': client-key: expected the key of the certificate, found nothing" },
    { config(good, "client-key-data: " .. pem),
      "DIR/config: user 'u': client-certificate: expected the certificate of the key, found nothing" },
    { config(good, "client-key-data: '*'"),
      "DIR/config: user 'u': client-key-data: expected base64, found something else" },
    { config(good, "client-key-data: YWJj"),
      "DIR/config: user 'u': client-key-data: expected PEM in base64, found base64 of something else" },
    { config(good, "as: admin"),
      "DIR/config: user 'u': as: expected nothing, because it is not supported, found a text" },
    { config(good, "auth-provider: {name: gcp}"),
      "DIR/config: user 'u': auth-provider: expected nothing, because it is not supported, found a map" },
    { config("", ""), "DIR/config: cluster 'c': server: expected a URL, found nothing" },
    { config("server: [x]", ""), "DIR/config: cluster 'c': server: expected a text, found a list" },
    { config('server: "ftp://x"', ""),
      "DIR/config: cluster 'c': server: expected a URL, found the URL ftp://x, which is neither http nor https" },
    { config('server: "http://user@x"', ""),
      "DIR/config: cluster 'c': server: expected a URL, found the URL http://user@x, which is no host with a path" },
    { config(good .. ", insecure-skip-tls-verify: 'yes'", ""),
      "DIR/config: cluster 'c': insecure-skip-tls-verify: expected true or false, found a text" },
    { config(good .. ", certificate-authority: nope", ""), "cannot read DIR/nope: No such file or directory" },
    { config(good .. ", certificate-authority: config", ""), "DIR/config: expected PEM, found something else" },
    { config(good, "exec: {command: x}"),
      "DIR/config: user 'u': exec.apiVersion: expected "
      .. "client.authentication.k8s.io/v1 or v1beta1, found nothing" },
    { config(good, "exec: {apiVersion: client.authentication.k8s.io/v1}"),
      "DIR/config: user 'u': exec.command: expected a command, found nothing" },
    { config(good, exec("x", ", args: [1]")), "DIR/config: user 'u': exec.args: expected a text, found a number" },
    { config(good, exec("x", ", env: {a: b}")), "DIR/config: user 'u': exec.env: expected a list, found a map" },
    { config(good, exec("x", ", env: [{value: b}]")),
      "DIR/config: user 'u': exec.env: expected a name, found nothing" },
    { config(good, exec("x", ", interactiveMode: Always")),
      "DIR/config: user 'u': exec.interactiveMode: expected Never or IfAvailable, found Always" },
    { "current-context: c", "DIR/config: contexts: expected a list, found nothing" },
    { "contexts: []", "DIR/config: current-context: expected the name of a context, found nothing" },
    { "current-context: d\ncontexts: [{name: c, context: {}}]",
      "DIR/config: contexts: expected an entry named 'd', found none" },
    { "current-context: c\ncontexts: [{name: c}]", "DIR/config: context 'c': context: expected a map, found nothing" },
    { "[1]", "DIR/config: the file: expected a map, found a list" },
    { "a: [", "DIR/config: the file: expected YAML, found line 2, column 1: did not find expected node content" },
    { "", "DIR/config is empty" },
  }
  for _, case in ipairs(wrong) do
    it("is refused with: " .. case[2], function() assert.equal(case[2], refusal(case[1])) end)
  end

  it("is missed when it is not there", function()
    assert.equal("cannot read DIR/nope: No such file or directory", refusal(nil, { path = folder .. "/nope" }))
  end)
end)

describe("a command for credentials", function()
  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder))
  end)

  after_each(function()
    run.stop()
    T.spin(0.02)
    assert(os.execute("rm -r " .. folder))
  end)

  -- How often it ran.
  local function runs() return select(2, (read("runs") or ""):gsub("x", "")) end

  it("is run once for all who wait, beside the kubeconfig, with its arguments and environment", function()
    local a = guarded({ ["Bearer one"] = true })
    script("login.sh", 'echo x >> "$(dirname "$0")/runs"; echo "$1:$2:$EXTRA:$HOME" > "$(dirname "$0")/seen"\n'
      .. credential({ token = "one" }))
    start(a, exec("./login.sh", ", args: [a, 'b c'], env: [{name: EXTRA, value: e}]"))
    for _ = 1, 3 do engine.spawn(function() kube.get(run.ref("Service", "web")) end) end
    connected(a)
    assert.same({ 1, ("a:b c:e:%s\n"):format(os.getenv("HOME") or "") }, { runs(), read("seen") })
  end)

  it("is told what it is asked for, and about the cluster if it wants that", function()
    local a = guarded({ ["Bearer one"] = true })
    script("login.sh", 'printf %s "$KUBERNETES_EXEC_INFO" > "$(dirname "$0")/info"\n' .. credential({ token = "one" }))
    start(a, exec("./login.sh", ", provideClusterInfo: true"),
      ", extensions: [{name: client.authentication.k8s.io/exec, extension: {audience: x}}]")
    connected(a)
    local cluster = { server = url(a), config = { audience = "x" } }
    assert.same({ apiVersion = "client.authentication.k8s.io/v1", kind = "ExecCredential",
      spec = { interactive = false, cluster = cluster } }, json.decode(read("info")))
  end)

  it("may speak v1beta1", function()
    local a = guarded({ ["Bearer one"] = true })
    script("login.sh", credential({ token = "one" }, "v1beta1"))
    start(a, 'exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: "./login.sh"}')
    connected(a)
  end)

  it("is asked again when its answer has expired", function()
    local a = guarded({ ["Bearer one"] = true })
    script("login.sh", 'echo x >> "$(dirname "$0")/runs"\n'
      .. credential({ token = "one", expirationTimestamp = "2001-01-01T00:00:00Z" }))
    start(a, exec("./login.sh"))
    connected(a)
    assert.equal(1, runs())
    T.spin(1.1)
    patch()
    assert.equal(2, runs())
  end)

  it("is not asked again before that", function()
    local a = guarded({ ["Bearer one"] = true })
    script("login.sh", 'echo x >> "$(dirname "$0")/runs"\n'
      .. credential({ token = "one", expirationTimestamp = "2999-01-01T00:00:00Z" }))
    start(a, exec("./login.sh"))
    connected(a)
    T.spin(1.1)
    patch()
    assert.equal(1, runs())
  end)

  it("is asked again after a 401, but not for every one", function()
    local a = guarded({ ["Bearer one"] = true })
    script("login.sh", 'cd "$(dirname "$0")"; echo x >> runs\nif [ -e two ]; then\n' .. credential({ token = "two" })
      .. "else\n" .. credential({ token = "one" }) .. "fi")
    start(a, exec("./login.sh"))
    connected(a)
    write("two", "")
    a.accepted = { ["Bearer two"] = true }
    a:put("services", run.service("web"))
    assert.equal(2, patch().spec.n)
    a.accepted = {}
    for _ = 1, 5 do assert.equal("FORBIDDEN", select(3, patch())) end
    assert.equal(2, runs())
  end)

  local failures = {
    { "echo 'no such profile' >&2; exit 7", "failed with exit code 7: no such profile" },
    { "kill -9 $$", "was ended by signal 9" },
    { "true", "answered nothing" },
    { "echo hello", "answered with no JSON" },
    { "echo '{\"kind\":\"Pod\"}'", "answered with something else than an ExecCredential" },
    { credential({ token = "x" }, "v1beta1"), "answered with another apiVersion than it was asked for" },
    { credential({}), "gave neither a token nor a certificate" },
    { credential({ clientKeyData = "x" }), "gave only one of clientCertificateData and clientKeyData" },
    { credential({ token = "x", expirationTimestamp = "soon" }), "gave an expirationTimestamp that is no time" },
    { "head -c 3000000 /dev/zero", "answered with too much" },
  }
  for _, case in ipairs(failures) do
    it("is named when it " .. case[2], function()
      silenced(function()
        script("login.sh", case[1])
        start(guarded({}), exec("./login.sh"))
        local _, message, code = patch()
        local expected = ("the command %s/./login.sh of user 'u' %s"):format(folder, case[2])
        assert.same({ expected, "INVALID" }, { message, code })
      end)
    end)
  end

  it("is named with its hint when it is not there", function()
    silenced(function()
      start(guarded({}), exec("no-such-command-of-serin", ", installHint: 'get it from x'"))
      local _, message = patch()
      assert.equal("the command no-such-command-of-serin of user 'u' cannot be started: "
        .. "no such file or directory; get it from x", message)
    end)
  end)

  it("may fail at first", function()
    local a = guarded({ ["Bearer one"] = true })
    silenced(function()
      script("login.sh", 'cd "$(dirname "$0")"; if [ ! -e go ]; then exit 1; fi\n' .. credential({ token = "one" }))
      start(a, exec("./login.sh"))
      assert.is_nil((patch()))
      write("go", "")
      connected(a)
    end)
  end)

  it("need not close its output to end", function()
    local a = guarded({ ["Bearer one"] = true })
    script("login.sh", "sleep 3 &\n" .. credential({ token = "one" }))
    start(a, exec("./login.sh"))
    connected(a)
  end)

  it("does not stop the rest of the engine while it runs, and is killed when the engine stops", function()
    local before = T.handles()
    local a = guarded({})
    script("login.sh", 'echo $$ > "$(dirname "$0")/pid"; sleep 1000')
    start(a, exec("./login.sh"))
    local done
    engine.spawn(function() done = true end)
    run.await(function() return done and #(read("pid") or "") > 1 end, "the command")
    run.stop()
    run.await(function() return not os.execute("kill -0 " .. read("pid"):match("%d+") .. " 2>/dev/null") end, "its end")
    run.await(function() return T.handles() == before end, "its handles")
  end)
end)

describe("a pod", function()
  local interpreter = io.popen("readlink /proc/$PPID/exe"):read("l")

  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder))
  end)

  after_each(function()
    run.stop()
    assert(os.execute("rm -r " .. folder))
  end)

  -- Runs Lua in a process of its own, in an environment; gives what it returns.
  local function elsewhere(environment, source)
    write("child.lua", ([[
local engine, kube, T = require("engine"), require("kube"), require("T")
local run = require("spec.support.run")
local function child() %s end
local out = table.pack(select(2, pcall(child)))
local file = assert(io.open(%q, "w"))
for i = 1, out.n do file:write(tostring(out[i]), "\n") end
file:close()
os.rename(%q, %q)
engine.stop()
]]):format(source, folder .. "/part", folder .. "/part", folder .. "/out"))
    os.execute(("env %s %s %s/child.lua >%s/log 2>&1 &"):format(environment, interpreter, folder, folder))
    run.await(function() return read("out") end, "the child's answer")
    local lines = {}
    for text in read("out"):gmatch("[^\n]+") do lines[#lines + 1] = text end
    os.remove(folder .. "/out")
    return lines
  end

  local function environment(port, host)
    return ("SERIN_SERVICEACCOUNT_DIR=%s KUBERNETES_SERVICE_HOST=%s KUBERNETES_SERVICE_PORT=%s"):format(
      folder, host or "127.0.0.1", port or 1)
  end

  local START = [[
    local function start(master)
      return engine.start({ master = master, canary = run.CANARY, tick = function() end })
    end
    local function patch()
      return T.run(function() return kube.patch(run.ref("Service", "web"), { spec = { n = 2 } }) end)
    end
  ]]

  it("is missed when there is none", function()
    local lines = elsewhere("-u KUBERNETES_SERVICE_HOST -u KUBERNETES_SERVICE_PORT", START .. "return start()")
    assert.same({ "nil", "no kubeconfig was given, and this is no pod: KUBERNETES_SERVICE_HOST and "
      .. "KUBERNETES_SERVICE_PORT are not set", "INVALID" }, lines)
  end)

  it("must have a token", function()
    local lines = elsewhere(environment(), START .. "return start()")
    assert.same({ "nil", ("cannot read %s/token: No such file or directory"):format(folder), "INVALID" }, lines)
  end)

  it("talks to its server over TLS, of IPv6 too", function()
    write("token", "one")
    write("ca.crt", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n")
    local lines = elsewhere(environment(1, "::1"), START .. "assert(start()) return patch()")
    assert.equal("UNREACHABLE", lines[3])
    assert.is_nil(lines[2]:find("URL", 1, true))
  end)

  it("gives its token, and reads it again after a 401", function()
    local a = guarded({ ["Bearer one"] = true })
    run.current = { api = a }
    write("token", "one\n")
    a:put("services", run.service("web"))
    a.accepted = { ["Bearer two"] = true }
    local lie = a.lie
    a.lie = function(request, at)
      if #a.seen == 0 then write("token", "two\n") end -- once: the child may be reading it later
      return lie(request, at)
    end
    local lines = elsewhere(environment(), START .. ("assert(start(%q)) return patch().spec.n"):format(url(a)))
    assert.same({ "2" }, lines)
    assert.same({ "Bearer one", "Bearer two" }, { a.seen[1], a.seen[#a.seen] })
  end)

  it("may be another server's client without an account", function()
    local a = guarded({ nobody = true })
    run.current = { api = a }
    a:put("services", run.service("web"))
    local lines = elsewhere(environment(), START .. ("assert(start(%q)) return patch().spec.n"):format(url(a)))
    assert.same({ "2" }, lines)
  end)
end)
