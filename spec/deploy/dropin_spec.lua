--- Flagger's own manifests with another image: what they ask of the program and of its image.

local yaml = require("yaml")

local BUILD = (io.open("/proc/self/cmdline"):read("a"):match("^[^%z]+"):match("^(.*)/"))

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

local function container(name)
  local deployment = assert(yaml.decode(read(("spec/fixtures/flagger/%s.yaml"):format(name))))[1]
  return deployment.spec.template.spec.containers[1]
end

local function output(command)
  local pipe <close> = assert(io.popen(command .. " 2>&1"))
  return pipe:read("a")
end

describe("Flagger's manifests", function()
  for _, name in ipairs({ "helm", "kustomize" }) do
    it(("of %s start with arguments that are known and have an effect, or need none"):format(name), function()
      local it = container(name)
      local args, warnings = it.args or { table.unpack(it.command, 2) }, {}
      local settings, message = require("cli.flags").settings(args,
        function(text) warnings[#warnings + 1] = text end, function() end)
      assert.is_nil(message)
      assert.equal(8080, settings.port)
      for _, text in ipairs(warnings) do assert.matches("threadiness", text) end
    end)
  end

  it("find the image's program where they start it, as a file of any other user", function()
    local root = os.tmpname()
    os.remove(root)
    assert(os.execute(("cmake --install %s --prefix %s/usr/local >/dev/null && ln -s usr/local/bin/serin %s/flagger")
      :format(BUILD, root, root)))
    assert.matches("^Serin version ", output(("cd %s && ./flagger -version"):format(root)))
    assert.matches("serin: unknown flag", output(("cd %s && ./flagger -nonsense"):format(root)))
    os.execute("rm -r " .. root)
  end)
end)

describe("deploy/Dockerfile", function()
  local text = read("deploy/Dockerfile")

  it("has what Flagger's manifests need: /flagger, started in /, and wget", function()
    assert.matches("\nRUN ln %-s usr/local/bin/serin /flagger\nWORKDIR /\nUSER 10001\nENTRYPOINT %[\"./flagger\"%]\n$",
      text)
    for _, name in ipairs({ "helm", "kustomize" }) do
      assert.equal("wget", container(name).livenessProbe.exec.command[1])
      assert.equal("./flagger", (container(name).command or { "./flagger" })[1])
    end
    assert.matches("ca%-certificates tzdata wget ", text)
  end)

  it("builds with packages that a build elsewhere asks for too", function()
    local known = read("spec/support/setup.sh"):match("BUILD_PACKAGES=(%b())")
    local stage = text:match("%-%-no%-install%-recommends \\\n(.-)\nCOPY")
    for name in stage:gmatch("[%w][%w.+-]+") do
      assert.truthy((known:gsub("[()\n]", " ") .. " "):find(" " .. name .. " ", 1, true), name)
    end
  end)

  it("has every library that the program is linked with", function()
    local needed = { ["liblua5.4.so.0"] = "liblua5.4-0", ["libuv.so.1"] = "libuv1", ["libcurl.so.4"] = "libcurl4",
      ["libyaml-0.so.2"] = "libyaml-0-2", ["libjansson.so.4"] = "libjansson4", ["libssl.so.3"] = "libssl3",
      ["libmicrohttpd.so.12"] = "libmicrohttpd12", ["libcrypto.so.3"] = "libssl3", ["libseccomp.so.2"] = "libseccomp2" }
    local runtime = text:match("FROM debian.-FROM debian.-no%-install%-recommends \\\n(.-) \\\n")
    for name in output("readelf -d " .. BUILD .. "/serin"):gmatch("NEEDED.-%[(.-)%]") do
      local base = name:find("^libc%.so") or name:find("^libm%.") or name:find("san%.so") or name:find("^libgcc_s")
        or name:find("^libpthread")
      assert.truthy(base or needed[name] and runtime:find(needed[name], 1, true), name)
    end
  end)
end)
