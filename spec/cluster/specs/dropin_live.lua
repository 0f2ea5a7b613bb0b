--- Flagger's own manifests with another image: the container as they start it, under the account and the rights that
--- they give it, in a file system, a user and an environment like a pod's.

local json = require("json")
local story = require("spec.cluster.story")
local support = require("spec.cluster.support")
local yaml = require("yaml")

local BUILD = (os.getenv("SERIN") or "build/asan/serin"):match("^(.*)/")
local NAMESPACE = "flagger-system"

--- Sees what a pod sees: its account in /run, the names that the cluster's DNS would know, the image at its top.
local POD = [[
set -eu
mount --make-rprivate /
mount --bind $root/hosts /etc/hosts
mount -t tmpfs none /run
mkdir -p /run/secrets/kubernetes.io/serviceaccount
cp $root/account/* /run/secrets/kubernetes.io/serviceaccount
mount --bind $root/image $root/image
mount -o remount,ro,bind $root/image
cd $root/image
exec env -i PATH=$PATH HOSTNAME=flagger-0 KUBERNETES_SERVICE_HOST=$host KUBERNETES_SERVICE_PORT=$port \
  setpriv --reuid 10001 --regid 10001 --clear-groups --no-new-privs "$@"
]]

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

local function save(path, text)
  local file <close> = assert(io.open(path, "wb"))
  file:write(text)
end

local function sh(text) assert(os.execute(text), text) end

--- What a manifest of Flagger starts: its container, and the words of the command.
local function container(name)
  local deployment = assert(yaml.decode(read(("spec/fixtures/flagger/%s.yaml"):format(name))))[1]
  local it = deployment.spec.template.spec.containers[1]
  return it, table.concat(it.command or { "./flagger", table.unpack(it.args) }, " ")
end

describe("Flagger's manifests with Serin's image", function()
  local root, process, one

  --- Starts the container of a manifest and waits until its own probe says that it is well.
  local function start(name)
    local it, command = container(name)
    local log = ("dropin-%s.log"):format(name)
    process = support.start(log, ("exec unshare -m sh %s/pod %s"):format(root, command))
    support.wait_until("the probe of " .. name, 60, function()
      if not process.alive() then error("it ended:\n" .. support.read(process.path)) end
      return select(2, support.run(table.unpack(it.livenessProbe.exec.command)))
    end, function() return support.read(process.path):sub(-2000) end)
  end

  setup(function()
    support.install()
    support.run("kubectl", "create", "namespace", NAMESPACE)
    support.kubectl("apply", "-f", "spec/fixtures/flagger/rbac.yaml")
    root = os.tmpname()
    os.remove(root)
    sh(("mkdir -p %s/account %s/image && chmod 755 %s"):format(root, root, root))
    sh(("cmake --install %s --prefix %s/image/usr/local >/dev/null"):format(BUILD, root))
    sh(("ln -s usr/local/bin/serin %s/image/flagger"):format(root))
    local cluster = assert(json.decode(support.kubectl("config", "view", "--raw", "--flatten", "-o", "json")))
      .clusters[1].cluster
    local host, port = cluster.server:match("^https://(.-):(%d+)$")
    save(root .. "/account/ca.crt", require("digest").unbase64(cluster["certificate-authority-data"]))
    save(root .. "/account/namespace", NAMESPACE)
    save(root .. "/account/token", (support.kubectl("-n", NAMESPACE, "create", "token", "flagger", "--duration=2h")
      :gsub("%s+$", "")))
    save(root .. "/hosts", "127.0.0.1 localhost prometheus flagger-prometheus\n")
    save(root .. "/pod", (POD:gsub("%$(%w+)", { root = root, host = host, port = port })))
    sh("chmod -R a+rX " .. root)
  end)

  teardown(function()
    if process then process.stop() end
    if one then
      one:stop()
      support.run("kubectl", "delete", "namespace", one.namespace, "--wait=false")
    end
    if root then os.execute("rm -rf " .. root) end
  end)

  it("start it with the arguments of the kustomize base and answer its probes", function()
    start("kustomize")
    process.stop()
    assert.is_nil(support.read(process.path):find("AddressSanitizer", 1, true))
  end)

  it("release a canary with the arguments and the rights of the chart", function()
    start("helm")
    one = story.new("traefik", ("dropin-%x"):format(os.time()))
    one:wait_for("Initialized", 120)
    one:release("podinfo:6.0.1")
    one:wait_for("Succeeded", 300)
    one:close()
    local run = one:report()
    assert.same({ { 0, 20, 40, 60, 0 }, "podinfo:6.0.1", 0 }, { run.weights, run.image, run.failed })
    assert.equal("flagger-0", support.get("lease", NAMESPACE, "flagger-leader-election").spec.holderIdentity
      :match("^[^_]+"))
  end)

  it("are refused nothing under the rights of the chart", function()
    -- a namespace that other specs left to be deleted answers 403 as well, to who has the right
    local refused = support.audit(function(entry)
      return (entry.annotations or {})["authorization.k8s.io/decision"] == "forbid"
    end, NAMESPACE .. ":flagger")
    local out = {}
    for index, entry in ipairs(refused) do out[index] = entry.verb .. " " .. entry.requestURI end
    assert.same({}, out)
    assert.is_true(#support.audit(function(entry) return entry.verb == "patch" end, NAMESPACE .. ":flagger") > 0)
  end)
end)
