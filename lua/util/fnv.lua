--- The short, opaque identifier that webhooks carry.

local fnv = {}

--- FNV-1a, 32 bit (Fowler, Noll, Vo).
function fnv.hash32(text)
  local hash = 2166136261
  for index = 1, #text do hash = ((hash ~ text:byte(index)) * 16777619) & 0xffffffff end
  return hash
end

local ALPHABET = "bcdfghjklmnpqrstvwxz2456789"

--- COMPAT: the decimal digits of the hash, each mapped through Kubernetes' "safe" alphabet by its
--- character code (apimachinery's rand.SafeEncodeString).
function fnv.safe(text)
  local digits = tostring(fnv.hash32(text))
  return (digits:gsub("%d", function(digit)
    local at = digit:byte() % #ALPHABET
    return ALPHABET:sub(at + 1, at + 1)
  end))
end

return fnv
