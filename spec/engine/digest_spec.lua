local digest = require("digest")

describe("digest.sha256", function()
  it("gives the sums of FIPS 180", function()
    assert.equal("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", digest.sha256(""))
    assert.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", digest.sha256("abc"))
  end)

  it("counts NUL bytes", function()
    assert.not_equal(digest.sha256("a"), digest.sha256("a\0"))
  end)
end)

describe("digest.hmac_sha256", function()
  it("gives the second case of RFC 4231", function()
    local sum = digest.hmac_sha256("Jefe", "what do ya want for nothing?")
    assert.equal(32, #sum)
    assert.equal("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", digest.hex(sum))
  end)

  it("takes the key first, also an empty or a long one", function()
    local empty = digest.hmac_sha256("", "")
    assert.equal("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad", digest.hex(empty))
    local long = digest.hmac_sha256(("\xaa"):rep(131), "Test Using Larger Than Block-Size Key - Hash Key First")
    assert.equal("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54", digest.hex(long))
  end)
end)

describe("digest.hex", function()
  it("writes every byte as two lower-case digits", function()
    assert.equal("00ff0a", digest.hex("\0\255\n"))
    assert.equal("", digest.hex(""))
  end)
end)

describe("digest.base64", function()
  for plain, text in pairs({ [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==", fooba = "Zm9vYmE=",
    foobar = "Zm9vYmFy", ["\xfb\xff"] = "+/8=", ["\0"] = "AA==" }) do
    it("turns " .. text .. " both ways", function()
      assert.equal(text, digest.base64(plain))
      assert.equal(plain, digest.unbase64(text))
    end)
  end

  it("gives back every byte at every length", function()
    for n = 0, 260 do
      local bytes = {}
      for i = 1, n do bytes[i] = string.char((i * 7 + n) % 256) end
      local text = table.concat(bytes)
      assert.equal(text, digest.unbase64(digest.base64(text)))
    end
  end)
end)

describe("digest.unbase64", function()
  it("skips line breaks", function()
    assert.equal("foobar", digest.unbase64("Zm9v\r\nYmFy\n"))
    assert.equal("f", digest.unbase64("Zg=\n=\n"))
  end)

  for _, text in ipairs({ "Z", "Zg", "Zg=", "Zm8", "Zg===", "=", "====", "Z===", "Zg==Zg==", "Zm=8", "Zm=A", "Zm9v!",
    "Zm9v YmFy", "Zh==", "Zm9=", "Zm9v=", "Zm_-", "Zg==\0" }) do
    it(("refuses %q"):format(text), function()
      local value, message, code = digest.unbase64(text)
      assert.is_nil(value)
      assert.equal("text is not base64", message)
      assert.equal("INVALID", code)
    end)
  end
end)

describe("digest.rs256", function()
  local folder

  local function sh(command)
    assert(os.execute(("cd %s && { %s; } >log 2>&1"):format(folder, command)), command)
  end

  local function file(name, text)
    local handle = assert(io.open(folder .. "/" .. name, text and "wb" or "rb"))
    if text then handle:write(text) end
    local content = not text and handle:read("a")
    handle:close()
    return content
  end

  setup(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder))
    sh("openssl genrsa -out key.pem 2048; openssl rsa -in key.pem -traditional -out pkcs1.pem; " ..
      "openssl rsa -in key.pem -pubout -out public.pem; openssl genrsa -out short.pem 1024; " ..
      "openssl genrsa -out long.pem 4104; openssl ecparam -name prime256v1 -genkey -noout -out ec.pem; " ..
      "openssl rsa -in key.pem -aes128 -passout pass:x -out locked.pem")
  end)

  teardown(function() assert(os.execute("rm -r " .. folder)) end)

  it("signs what openssl verifies, with keys in either form", function()
    file("text", "header.claims")
    for _, name in ipairs({ "key.pem", "pkcs1.pem" }) do
      local signature = digest.rs256(file(name), "header.claims")
      assert.equal(256, #signature)
      file("signature", signature)
      sh("openssl dgst -sha256 -verify public.pem -signature signature text")
    end
  end)

  it("gives another signature for another text", function()
    file("text", "header.claims")
    file("signature", digest.rs256(file("key.pem"), "header.claimz"))
    assert.has_error(function() sh("openssl dgst -sha256 -verify public.pem -signature signature text") end)
  end)

  it("refuses what is no RSA key of 2048 to 4096 bits", function()
    local bad = { "", "x", file("public.pem"), file("ec.pem"), file("short.pem"), file("long.pem"), file("locked.pem"),
      file("key.pem"):sub(1, 400) }
    for _, pem in ipairs(bad) do
      local value, message, code = digest.rs256(pem, "x")
      assert.same({ "expected an RSA private key of 2048 to 4096 bits in PEM", "INVALID" }, { message, code })
      assert.is_nil(value)
    end
  end)

  it("is bounded", function()
    assert.equal("TOO_LARGE", select(3, digest.rs256(("x"):rep(16385), "x")))
    assert.equal("TOO_LARGE", select(3, digest.rs256(file("key.pem"), ("x"):rep(65537))))
    assert.equal(256, #digest.rs256(file("key.pem"), ("x"):rep(65536)))
  end)
end)

describe("digest.random", function()
  it("gives as many bytes as asked for, and others each time", function()
    assert.equal(0, #digest.random(0))
    assert.equal(1024, #digest.random(1024))
    assert.not_equal(digest.random(16), digest.random(16))
  end)

  it("raises outside 0 to 1024", function()
    for _, n in ipairs({ -1, 1025, math.mininteger, math.maxinteger, 1.5, "x" }) do
      assert.has_error(function() digest.random(n) end)
    end
  end)
end)

describe("digest", function()
  it("raises when it is not given strings", function()
    for _, name in ipairs({ "sha256", "hex", "base64", "unbase64" }) do
      assert.has_error(function() digest[name](1) end)
      assert.has_error(function() digest[name]() end)
    end
    assert.has_error(function() digest.hmac_sha256("key") end)
    assert.has_error(function() digest.rs256("key") end)
  end)
end)
