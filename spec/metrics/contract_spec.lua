--- Every file in lua/metrics/ that serves a type keeps these promises. A new provider adds one fixture,
--- spec/fixtures/metrics/<type>.lua (see spec/support/provider.lua), and its golden requests (UPDATE_GOLDEN=1).

local T = require("T")
local dialogue = require("metrics.dialogue")
local frozen = require("spec.support.frozen")
local lfs = require("lfs")
local support = require("spec.support.provider")

local function types()
  local out = {}
  for file in lfs.dir("lua/metrics") do
    local name = file:match("^([%w_]+)%.lua$")
    if name and require("metrics." .. name).name then out[#out + 1] = name end
  end
  table.sort(out)
  return out
end

--- All requests of a dialogue as text, the answers being those of the fixture.
local function conversation(provider, fixture, ctx, request)
  local texts, last = {}, nil
  local take = dialogue.new(provider, ctx, request, function(...) last = { ... } end)
  while request do
    texts[#texts + 1] = request.url and support.text(request) or ("kube %s %s\n\n"):format(request.kube,
      request.path or request.ref.kind .. " " .. request.ref.namespace .. "/" .. request.ref.name)
    local path = (request.url or ""):match("^%a+://[^/]+([^?]*)")
    local answer = fixture.reply and fixture.reply(path, request) or { body = fixture.good }
    local _, after = take({ status = answer.status or 200, headers = {}, body = answer.body or "" })
    request = after
  end
  return table.concat(texts):gsub("(assertion=[%w_-]+%.[%w_-]+%.)[%w_-]+", "%1SIGNATURE"), last
end

local function describe_request(kind, provider, fixture)
  it("sends what its golden file holds", function()
    local ctx = support.ctx(kind, fixture)
    local text = conversation(provider, fixture, ctx, assert(frozen.call(provider.request, ctx)))
    assert.is_nil(support.golden(kind .. ".request.txt", text))
  end)

  it("asks whether it is there with what its golden file holds", function()
    if not provider.online then return assert.is_nil(provider.is_online) end
    local ctx = support.ctx(kind, fixture)
    local request = assert(frozen.call(provider.online, ctx))
    if type(request) == "string" then request = provider.request(support.with(ctx, { query = request })) end
    local text = conversation(provider, fixture, ctx, request)
    assert.is_nil(support.golden(kind .. ".online.txt", text))
  end)

  for name, message in pairs(fixture.required) do
    it("names the key " .. name .. " when the Secret has none, or several lines", function()
      local ctx = support.ctx(kind, fixture)
      ctx.secret = support.with(ctx.secret, { [name] = false })
      assert.same({ message }, { select(2, provider.request(ctx)) })
      ctx.secret = support.with(ctx.secret, { [name] = "a\r\nb: c" })
      local request = provider.request(ctx)
      for _, value in pairs(request and request.headers or {}) do assert.is_nil(value:find("[\r\n]")) end
    end)
  end

  for _, address in ipairs({ "x", "ftp://h", "http://", "http://u:pw@h h/", "http://h\n", "https://[", "//h",
    "http://h:1:2" }) do
    it(("refuses the address %q without a word about its password"):format(address), function()
      if fixture.address == false then return assert.is_nil(fixture.provider.address) end
      local ctx = support.ctx(kind, fixture)
      ctx.template = support.template(kind, support.with(fixture.provider, { address = address }), fixture.query)
      local request, message = provider.request(ctx)
      local token = { status = 200, body = '{"access_token":"x"}' }
      if request then request, message = provider[request.read](token, ctx, request) end
      assert.is_nil(request)
      assert.truthy(message:find(kind .. " address .* is not a valid URL"))
      assert.is_nil(message:find("pw", 1, true))
    end)
  end
end

local HUGE = ("x"):rep(10 << 20)
local STATUSES = { 301, 400, 401, 403, 404, 429, 500, 503 }

local function describe_answers(kind, provider, fixture)
  local server, answer

  before_each(function()
    server = support.serve(function(request) return support.handler(fixture, answer)(request) end)
  end)

  after_each(function()
    server.close()
    T.spin(0.005)
  end)

  local function verdict(given)
    answer = given
    return support.check(kind, fixture, server.address)
  end

  it("reads the documented answer", function()
    local result, passed, ctx = verdict({ body = fixture.good })
    assert.same({ "pass", fixture.value, true, fixture.value },
      { result.verdict, result.value, passed, ctx.gauges.m }, result.message)
  end)

  for name, case in pairs(fixture.other or {}) do
    it("reads the documented answer: " .. name, function()
      assert.equal(case[2], verdict({ body = case[1] }).value)
    end)
  end

  for name, body in pairs(fixture.nodata) do
    it("takes for no value: " .. name, function()
      local result = verdict({ body = body })
      assert.equal("nodata", result.verdict, result.message)
      assert.equal("Halt advancement no values found for custom metric: m: no values found", result.message)
    end)
  end

  for name, case in pairs(fixture.bad) do
    it("takes for no success: " .. name, function()
      local result = verdict({ body = case[1] })
      assert.not_equal("pass", result.verdict)
      if case[2] then assert.truthy(result.message:find(case[2], 1, true), result.message) end
      assert.is_nil(result.message:find("s3cret", 1, true))
    end)
  end

  for name, body in pairs({ nothing = "", null = "null", NaN = "NaN", number = "1", list = "[]", object = "{}",
    text = '"x"', binary = "\0\255\1", truncated = fixture.good:sub(1, #fixture.good // 2),
    deep = ("["):rep(100000) }) do
    it("never takes for success a body that is " .. name, function()
      local result, passed = verdict({ body = body })
      assert.is_false(passed)
      assert.truthy(({ error = true, nodata = true })[result.verdict], result.verdict)
      assert.is_nil(result.value)
    end)
  end

  for _, status in ipairs(STATUSES) do
    it(("takes status %d for an error"):format(status), function()
      local result = verdict({ status = status, body = status == 301 and "" or "no" })
      assert.equal("error", result.verdict)
      local said = fixture.refused and status ~= 301 and fixture.refused or tostring(status)
      assert.truthy(result.message:find(said, 1, true), result.message)
    end)
  end

  it("takes an answer of 10 MB for an error", function()
    local result = verdict({ body = HUGE })
    assert.equal("error", result.verdict)
    assert.truthy(result.message:find("request failed: ", 1, true))
  end)

  it("takes a broken connection and an answer that ends in the middle for errors", function()
    assert.equal("error", verdict({ fault = "reset" }).verdict)
    assert.equal("error", verdict({ fault = "truncate", body = fixture.good }).verdict)
  end)

  it("does not follow a redirect with what is for the named address alone", function()
    local other = support.serve(function() return { body = fixture.good } end)
    for _, status in ipairs({ 301, 302, 303, 307, 308 }) do
      local result = verdict({ status = status, headers = { Location = other.address .. "/?k=v" }, body = "" })
      assert.equal("error", result.verdict)
      assert.truthy(result.message:find("redirected to " .. other.address .. ",", 1, true), result.message)
    end
    assert.same({}, other.seen)
    other.close()
  end)

  it("is online when it answers, and says so when it does not", function()
    if not provider.online then return end
    answer = nil
    local online = fixture.online or function() return { body = fixture.good } end
    local there = true
    local own = support.serve(function(request)
      local step = fixture.reply and fixture.reply(request.path, request)
      return step or (there and online(request.path) or { status = 503, body = "no" })
    end)
    assert.is_nil((support.offline(kind, fixture, own.address)))
    there = false
    local message = support.offline(kind, fixture, own.address)
    local said = ("%s in metric template t.demo not avaiable: running query failed: "):format(kind)
    assert.truthy(message:find(said, 1, true), message)
    own.close()
  end)
end

for _, kind in ipairs(types()) do
  describe("metrics." .. kind, function()
    local provider, fixture = require("metrics." .. kind), support.fixture(kind)
    assert(provider.name == kind)
    describe_request(kind, provider, fixture)
    if fixture.good then describe_answers(kind, provider, fixture) end
  end)
end

describe("metrics", function()
  it("has a file for every type of the CRD but the scripts'", function()
    local file <close> = assert(io.open("deploy/crd-metrictemplates.yaml"))
    local crd = require("yaml").decode(file:read("a"))[1].spec.versions[1].schema.openAPIV3Schema
    local listed = {}
    for _, name in ipairs(crd.properties.spec.properties.provider.properties.type.enum) do
      if name ~= "lua" then listed[#listed + 1] = name end
    end
    table.sort(listed)
    assert.same(types(), listed)
    assert.same(types(), require("metrics.resolve").TYPES)
  end)
end)
