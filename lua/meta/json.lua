---@meta json
-- Values: null is `json.null`, a list is a table tagged by `json.array`, an object a plain table,
-- integers stay integers (64 bit). See engine/lua_json.h for the whole mapping.

json = {}

--- The null of JSON, which is none of Lua's values: in a merge patch it takes a field out; in what is read, as in `ctx`,
--- it stands where a number was NaN. It counts as true.
---@since 1
json.null = nil ---@type lightuserdata

--- The value of a JSON text, or nil, message, "INVALID" | "TOO_LARGE".
---@since 1
function json.decode(text) end

--- Compact text, object keys sorted (so equal values give equal text), or nil, message, "INVALID".
---@since 1
function json.encode(value) end

--- Tags `t` (default a new table) as a list and returns it, so that an empty one is written `[]`.
---@since 1
function json.array(t) end

--- True for tables tagged by json.array or json.decode.
---@since 1
function json.is_array(t) end
