---@meta yaml

yaml = {}

--- Every document of a YAML stream as a list of values (same mapping as json.decode), or nil, message, CODE.
--- Core schema; aliases, depth and size are capped; anchors may not expand to more than 1 MiB.
---@since 1
function yaml.decode(text) end

--- Where the keys of a YAML stream stand: for every document a table { ["spec.metrics[0].name"] = line }, "" for the
--- document itself; or nil, message, CODE. What an alias or << brings in is not in it.
---@since 1
function yaml.lines(text) end
