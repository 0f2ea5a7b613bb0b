--- Numbers against published ones: `near(expected, actual, tolerance)`, 1e-9 of the larger of 1 and the expected.

return function(expected, actual, tolerance)
  if type(actual) ~= "number" then error(("expected %.17g, found %s"):format(expected, tostring(actual)), 2) end
  local most = (tolerance or 1e-9) * math.max(1, math.abs(expected))
  if actual ~= actual or math.abs(expected - actual) > most then
    error(("expected %.17g within %g, found %.17g"):format(expected, most, actual), 2)
  end
end
