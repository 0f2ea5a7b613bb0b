--- The API server over TLS, played by `openssl s_server`, which serves files as whole answers. It knows no
--- watches, so the watch finds garbage and the list is made again and again; that the list comes is the proof.

local T = require("T")
local engine, json = require("engine"), require("json")
local run = require("spec.support.run")

local folder, pid

local function write(name, text)
  local file = assert(io.open(folder .. "/" .. name, "w"))
  file:write(text)
  file:close()
end

local function read(name)
  local file = io.open(folder .. "/" .. name)
  if not file then return "" end
  local text = file:read("a")
  file:close()
  return text
end

local function sh(command)
  local full = ("cd %s && { %s; } >>log 2>&1"):format(folder, command)
  if not os.execute(full) then error("failed: " .. command .. "\n" .. read("log"), 2) end
end

-- A key and a certificate for `name`, by the authority `by` or by itself.
local function certificate(name, subject, by)
  sh(("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout %s.key -out %s.crt "
    .. "-subj /CN=%s -addext subjectAltName=%s %s"):format(name, name, name, subject,
    by and ("-CA %s.crt -CAkey %s.key -addext basicConstraints=critical,CA:FALSE"):format(by, by) or ""))
end

local function base64(name)
  sh(("openssl base64 -A -in %s -out %s.b64"):format(name, name))
  return read(name .. ".b64")
end

-- Gives the port.
local function serve(options)
  local list = json.encode({ kind = "CanaryList", items = json.array(), metadata = { resourceVersion = "1" } })
  sh("mkdir -p apis/flagger.app/v1beta1")
  write("apis/flagger.app/v1beta1/canaries?limit=500", ("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    .. "Content-Length: %d\r\nConnection: close\r\n\r\n%s"):format(#list, list))
  os.remove(folder .. "/server.log")
  os.execute(("cd %s && { openssl s_server -HTTP -accept 127.0.0.1:0 -cert server.crt -key server.key %s "
    .. ">server.log 2>&1 & echo $! >pid; }"):format(folder, options or ""))
  pid = read("pid"):match("%d+")
  run.await(function() return read("server.log"):match("ACCEPT [^\n]*:(%d+)") end, "the server")
  return math.tointeger(tonumber(read("server.log"):match("ACCEPT [^\n]*:(%d+)")))
end

local function start(port, cluster, user)
  write("config", ([[
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://127.0.0.1:%d"%s}}]
users: [{name: u, user: {%s}}]
]]):format(port, cluster, user or "token: secret"))
  return assert(engine.start({ kubeconfig = folder .. "/config", canary = run.CANARY, tick = function() end }))
end

local function synced() return engine.stats().synced end

local function trusted(port, cluster, user)
  start(port, cluster, user)
  run.await(synced, "the list")
end

local function refused(port, cluster, user)
  start(port, cluster, user)
  run.await(function() return engine.stats().request_errors > 1 end, "errors")
  assert.is_false(synced())
end

describe("a server with TLS", function()
  setup(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder))
    certificate("authority", "DNS:authority")
    certificate("other", "DNS:other")
    certificate("server", "IP:127.0.0.1,DNS:kubernetes", "authority")
    certificate("me", "DNS:me", "authority")
    certificate("stranger", "DNS:stranger", "other")
  end)

  teardown(function() assert(os.execute("rm -r " .. folder)) end)

  before_each(function() T.log_to("/dev/null") end)

  after_each(function()
    engine.stop()
    T.spin(0.02)
    T.log_to()
    if pid then os.execute("kill " .. pid) end
    pid = nil
  end)

  it("is trusted by an authority in a file", function() trusted(serve(), ", certificate-authority: authority.crt") end)

  it("is trusted by an authority as data", function()
    trusted(serve(), ", certificate-authority-data: " .. base64("authority.crt"))
  end)

  it("is not trusted without an authority", function() refused(serve(), "") end)

  it("is not trusted by another authority", function() refused(serve(), ", certificate-authority: other.crt") end)

  it("is trusted without an authority when that is wanted", function()
    trusted(serve(), ", insecure-skip-tls-verify: true")
  end)

  it("must have the name that is asked for", function()
    refused(serve(), ", certificate-authority: authority.crt, tls-server-name: elsewhere")
  end)

  it("may have another name than its address", function()
    trusted(serve(), ", certificate-authority: authority.crt, tls-server-name: kubernetes")
  end)

  local ask = "-CAfile authority.crt -Verify 1 -verify_return_error"

  it("knows us by a certificate in a file", function()
    trusted(serve(ask), ", certificate-authority: authority.crt", "client-certificate: me.crt, client-key: me.key")
  end)

  it("knows us by a certificate as data", function()
    trusted(serve(ask), ", certificate-authority: authority.crt",
      ("client-certificate-data: %s, client-key-data: %s"):format(base64("me.crt"), base64("me.key")))
  end)

  it("knows us by a certificate of a command", function()
    write("login.sh", ("#!/bin/sh\ncat <<'END'\n%s\nEND\n"):format(json.encode({ kind = "ExecCredential",
      apiVersion = "client.authentication.k8s.io/v1",
      status = { clientCertificateData = read("me.crt"), clientKeyData = read("me.key") } })))
    sh("chmod +x login.sh")
    trusted(serve(ask), ", certificate-authority: authority.crt",
      "exec: {apiVersion: client.authentication.k8s.io/v1, command: ./login.sh}")
  end)

  it("does not know a stranger", function()
    refused(serve(ask), ", certificate-authority: authority.crt",
      "client-certificate: stranger.crt, client-key: stranger.key")
  end)

  it("does not know somebody without a certificate", function()
    refused(serve(ask), ", certificate-authority: authority.crt")
  end)
end)
