--- Watches over HTTP: one JSON object per change, bookmarks between them, an end after a while.

local json = require("json")
local listing = require("sandbox.listing")
local replies = require("sandbox.replies")
local views = require("sandbox.views")
local watches = require("sandbox.watches")

local streams = {}

local BOOKMARK_EVERY, LONGEST = 60, 1800 -- seconds of the world's time
local INITIAL_END = "k8s.io/initial-events-end"

local function line(kind, object)
  return assert(json.encode({ type = kind, object = object })) .. "\n"
end

--- Writes a bookmark now and then until `watch.closed`.
local function mark(world, watch, write_bookmark)
  watch.beat = world:at(world.now + BOOKMARK_EVERY, function()
    write_bookmark()
    mark(world, watch, write_bookmark)
  end)
end

local function begin(world, at, query, options, stream, watch)
  local function write_bookmark(annotations)
    local bookmark = watches.bookmark(world.api, at.ref)
    bookmark.metadata.annotations = annotations
    stream:write(line("BOOKMARK", views.bookmark(at.entry, bookmark, at.view)))
  end
  local opened, message, code = watches.open(world.api, at.ref, options, function(kind, object)
    at.view.now = world.now
    stream:write(line(kind, views.object(at.entry, object, at.view)))
  end)
  if not opened then
    stream:write(line("ERROR", replies.status(code, message)))
    return stream:close()
  end
  watch.opened = opened
  if query.sendInitialEvents == "true" then write_bookmark({ [INITIAL_END] = "true" }) end
  if query.allowWatchBookmarks == "true" then mark(world, watch, write_bookmark) end
  local seconds = math.min(tonumber(query.timeoutSeconds) or LONGEST, LONGEST)
  watch.ending = world:at(world.now + seconds, function() stream:close() end)
end

local function finish(watch)
  if watch.opened then watch.opened.stop() end
  for _, entry in ipairs({ watch.beat or {}, watch.ending or {} }) do entry.cancelled = true end
end

--- The answer of a watch. `at`: { ref =, entry =, view = options of views }; options: { labels =, fields = }.
function streams.answer(world, at, query, options)
  local wanted, message = listing.filter(options)
  if not wanted then return replies.failure("BAD_REQUEST", message) end
  local watch = {}
  options.resourceVersion = query.resourceVersion ~= "" and query.resourceVersion or nil
  return {
    status = 200,
    headers = { ["Content-Type"] = "application/json" },
    stream = function(stream) begin(world, at, query, options, stream, watch) end,
    on_close = function() finish(watch) end,
  }
end

return streams
