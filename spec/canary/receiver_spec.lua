--- Where alerts go, and what is said of an AlertProvider, a Secret or a flag that is wrong.

local chat = require("spec.support.chat")
local receiver = require("canary.receiver")

local function read(spec, secret)
  local self = chat.new()
  chat.provide(self, "p", spec, secret)
  return receiver.of_provider(self.host, "demo", "p")
end

local TYPE = "spec.type: expected the name of a chat, like slack, found "
local URL = "expected a URL that begins with http:// or https://, found "
local BY_SECRET = { type = "slack", secretRef = { name = "p" } }

describe("canary.receiver", function()
  it("reads an AlertProvider", function()
    local to, problem = read({ type = "slack", address = "https://s/x", channel = "c", username = "u",
      proxy = "http://p:1" })
    assert.is_nil(problem)
    assert.same({ "p.demo", "slack", "https://s/x", "c", "u", "http://p:1" },
      { to.name, to.type, to.address, to.channel, to.username, to.proxy })
  end)

  it("takes address, token and authority from its Secret, without the line end of an editor", function()
    local to, problem = read({ type = "slack", address = "http://other/", secretRef = { name = "p" } },
      { address = "https://s/secret\n", token = "t0k\r\n", ["ca.crt"] = "PEM" })
    assert.is_nil(problem)
    assert.same({ "https://s/secret", "t0k", "PEM" }, { to.address, to.token, to.ca })
  end)

  it("takes an empty text for none", function()
    local to = read({ type = "slack", address = "https://s/x", channel = "", username = "", proxy = "" })
    assert.same({}, { to.channel, to.username, to.proxy })
  end)

  it("says of a missing one that it is not there, and of an unreadable one why", function()
    local self = chat.new()
    assert.same({ nil, "not found" }, { receiver.of_provider(self.host, "demo", "p") })
    self.kube_fault = { "no answer in time", "TIMEOUT" }
    assert.equal("no answer in time", select(2, receiver.of_provider(self.host, "demo", "p")))
  end)

  for problem, spec in pairs({
    [TYPE .. '"pager"'] = { type = "pager", address = "http://x/" },
    [TYPE .. '""'] = { address = "http://x/" },
    [TYPE .. '"../kube"'] = { type = "../kube", address = "http://x/" },
    [TYPE .. '"slack:x"'] = { type = "slack:x", address = "http://x/" },
    ["spec.address: " .. URL .. '"chat"'] = { type = "slack", address = "chat" },
    ["spec.address: " .. URL .. '"file:///etc/passwd"'] = { type = "slack", address = "file:///etc/passwd" },
    ["spec.address: " .. URL .. '"http:///x"'] = { type = "slack", address = "http:///x" },
    ["spec.address: " .. URL .. '"http://x/a b"'] = { type = "slack", address = "http://x/a b" },
    ["spec.address: " .. URL .. "nil"] = { type = "slack" },
    ["spec.address: " .. URL .. "table"] = { type = "slack", address = {} },
    ['spec.proxy: expected a URL, found "squid"'] = { type = "slack", address = "http://x/", proxy = "squid" },
    ["spec.secretRef.name: expected the name of a Secret, found none"] = { type = "slack", secretRef = {} },
    ["secret p not found"] = BY_SECRET,
  }) do
    it("says " .. problem, function() assert.equal(problem, select(2, read(spec))) end)
  end

  it("bounds an address", function()
    local long = "http://x/" .. ("a"):rep(4096 - 9)
    assert.is_nil((select(2, read({ type = "slack", address = long }))))
    assert.matches("^spec.address: expected a URL", select(2, read({ type = "slack", address = long .. "a" })))
  end)

  for problem, secret in pairs({
    ["secret p: expected the key address, found none"] = { token = "t" },
    ["secret p: address: " .. URL .. "another text"] = { address = "s3cret" },
    ["secret p: token: expected one line, found several"] = { address = "http://x/", token = "a\nEvil: 1" },
  }) do
    it("says " .. problem .. ", and not what is in it", function()
      assert.equal(problem, select(2, read(BY_SECRET, secret)))
    end)
  end

  it("says of a Secret what is not base64, and of an unreadable one why", function()
    local self = chat.new()
    chat.provide(self, "p", BY_SECRET, { address = "http://x/" })
    self.objects["Secret demo/p"].data.token = "*"
    assert.equal("secret p: token: expected base64", select(2, receiver.of_provider(self.host, "demo", "p")))
    local get = self.host.kube.get
    self.host.kube.get = function(ref)
      if ref.kind == "Secret" then return nil, "it is forbidden", "FORBIDDEN" end
      return get(ref)
    end
    assert.equal("secret p: it is forbidden", select(2, receiver.of_provider(self.host, "demo", "p")))
  end)

  it("has a sentence for every shape of a spec", function()
    local odd = { "", "slack", 7, true, {}, { name = 7 }, { { } }, "\0", ("x"):rep(5000) }
    for _, field in ipairs({ "type", "address", "proxy", "channel", "username", "secretRef" }) do
      for _, value in ipairs(odd) do
        local spec = { type = "slack", address = "http://x/" }
        spec[field] = value
        local to, problem = read(spec)
        assert.equal("p.demo", to.name)
        assert.is_true(problem == nil or type(problem) == "string" and #problem < 256)
      end
    end
    for _, value in ipairs(odd) do assert.is_string((select(2, read(value)))) end
  end)
end)

describe("the receiver of the flags", function()
  local SLACK = { slack_url = "https://s/", slack_channel = "ops" }

  local function with(change)
    local out = {}
    for key, value in pairs(SLACK) do out[key] = value end
    for key, value in pairs(change) do out[key] = value end
    return out
  end

  it("is none without a URL", function()
    assert.same({}, { receiver.of_flags({}) })
    assert.same({}, { receiver.of_flags({ slack_url = "", slack_channel = "ops", msteams_url = "" }) })
  end)

  it("is Slack with token, user, channel and proxy", function()
    assert.same({ name = "slack", type = "slack", address = "https://s/", channel = "ops", username = "me", token = "t",
      proxy = "http://p:1" }, receiver.of_flags(with({ slack_user = "me", slack_token = "t",
      slack_proxy_url = "http://p:1" })))
    assert.is_nil(receiver.of_flags(with({ slack_token = "" })).token)
  end)

  it("is Teams rather than Slack, with its own proxy", function()
    local to = receiver.of_flags(with({ msteams_url = "https://t/", msteams_proxy_url = "http://q:1",
      slack_proxy_url = "http://p:1", slack_token = "t" }))
    assert.same({ name = "msteams", type = "msteams", address = "https://t/", proxy = "http://q:1" }, to)
  end)

  for problem, change in pairs({
    ["empty Slack channel"] = { slack_channel = "" },
    ["flag -slack-url: " .. URL .. "another text"] = { slack_url = "hooks.slack.example" },
    ["flag -msteams-url: " .. URL .. "another text"] = { msteams_url = "t" },
    ['flag -slack-proxy-url: expected a URL, found "squid"'] = { slack_proxy_url = "squid" },
    ['flag -msteams-proxy-url: expected a URL, found "squid"'] = { msteams_url = "https://t/",
      msteams_proxy_url = "squid" },
  }) do
    it("is none, since " .. problem, function() assert.same({ nil, problem }, { receiver.of_flags(with(change)) }) end)
  end
end)
