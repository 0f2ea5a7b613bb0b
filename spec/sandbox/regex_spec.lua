local regex = require("sandbox.regex")

describe("sandbox.regex", function()
  for _, case in ipairs({
    { "abc", "abc" }, { "a.c", "axc" }, { "a|bc", "bc" }, { "(a|b)c", "bc" }, { "(?:a|b)c", "ac" }, { "a*", "" },
    { "a*", "aaa" }, { "a+b?", "aa" }, { "[a-c]+", "abcab" }, { "[^a-c]", "x" }, { "[]x]", "]" }, { "\\d{2,3}", "123" },
    { "a{2}", "aa" }, { "a{2,}", "aaaa" }, { "5..", "503" }, { "^a$", "a" }, { "a\\.b", "a.b" }, { ".*", "" },
    { "(a*)*b", "aab" }, { "[\\w-]+", "a-b_1" }, { "", "" }, { "web-[0-9a-z]+(-[0-9a-z]+)", "web-f8c-x2" },
    { "a|", "" }, { "a*?b", "aab" },
  }) do
    it(("%s matches %q"):format(case[1], case[2]), function() assert.is_true(regex.matches(case[1], case[2])) end)
  end

  for _, case in ipairs({
    { "abc", "abcd" }, { "b", "abc" }, { "a.c", "ac" }, { "a+", "" }, { "[^a-c]", "a" }, { "\\d{2,3}", "1" },
    { "\\d{2,3}", "1234" }, { "a{2}", "aaa" }, { "a\\.b", "axb" }, { "5..", "50" }, { "(a|b)c", "c" },
  }) do
    it(("%s does not match %q"):format(case[1], case[2]), function()
      assert.is_false(regex.matches(case[1], case[2]))
    end)
  end

  for _, pattern in ipairs({ "(", ")", "[", "[a", "*", "+a", "a|*", "(?:", "a)" }) do
    it("refuses " .. pattern, function()
      local test, message = regex.compile(pattern)
      assert.is_nil(test)
      assert.truthy(message:find("error parsing regexp", 1, true))
    end)
  end
end)
