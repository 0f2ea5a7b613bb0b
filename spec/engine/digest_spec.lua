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
  end)
end)
