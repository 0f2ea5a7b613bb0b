---@meta log

log = {}

--- One line; `fields` is an optional table of strings, e.g. { canary = "name.namespace" }.
---@since 1
function log.debug(message, fields) end
---@since 1
function log.info(message, fields) end
---@since 1
function log.warn(message, fields) end
---@since 1
function log.error(message, fields) end
