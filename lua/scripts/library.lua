--- The operator's scripts: loaded, tested in a worker, and loaded again when they change. Of each the last good version
--- is kept.
--
--   local library = library.new({ host =, folders = {...}, allow_shadow = {...}, told = function(event) })
--   library:load()                     inside a job, again and again
--   library:find("check", "burn")      --> script | nil, message
--
-- A script: { kind, name, module, label = "checks/burn.lua", sha256, text = the bundle, fields = the header, grants }.

local bundle = require("scripts.bundle")
local folder = require("scripts.folder")
local grants = require("scripts.grants")
local header = require("scripts.header")
local nearest = require("util.nearest")
local registry = require("util.registry")
local run = require("scripts.run")

local library = {}

local library_methods = {}
local library_mt = { __index = library_methods }

-- kind -> folder of the shipped ones
local SHIPPED = { policy = "policies", router = "routers", notify = "alerts" }
local PASSING = { REFUSED = true, TIMEOUT = true, CRASH = true, QUARANTINED = true } -- tried again then
local REHASH = 30 -- looks after which the files are read although nothing seems to have changed

--- options: { host = { script, log, http, kube, clock }, folders, allow_shadow, told = function(label, message or nil)
--- when a script becomes broken, or good again }.
function library.new(options)
  return setmetatable({ host = options.host, folders = options.folders, told = options.told or function() end,
    allowed = options.allow_shadow or {}, good = {}, broken = {}, sources = {}, marks = {}, tried = {}, looks = 0,
    loaded = false }, library_mt)
end

local function shadows(self, file)
  local place = SHIPPED[file.kind]
  if not place or not registry.find(place, file.name) then return nil end
  for _, name in ipairs(self.allowed) do
    if name == file.name or name == ("%s/%s"):format(header.KINDS[file.kind].folder, file.name) then return nil end
  end
  return ("%s: expected a name that no shipped one has, found %s; -allow-shadow=%s lets it take its place"):format(
    file.label, file.name, (file.module:gsub("%.", "/")))
end

--- The script of a file after every test; or nil and what is wrong.
local function tested(self, file, made)
  local script = { kind = file.kind, name = file.name, module = file.module, label = file.label, sha256 = made.sha256,
    text = made.text }
  local found, message, code = run.header(self.host, script)
  if not found then return nil, message, code end
  message = header.problem(found, file.kind, file.name)
  if message then return nil, header.message(file.label, self.sources[file.module].source, message) end
  script.fields, script.functions = found.fields, header.functions(found)
  script.grants = grants.read(found.fields.grants)
  if script.functions.selftest then
    local ok
    ok, message = run.selftest(self.host, script)
    if not ok then return nil, message end
  end
  return script
end

local function tell(self, label, message)
  if self.broken[label] == message then return end
  self.broken[label] = message
  self.told(label, message)
  if message then self.host.log.error("script refused: " .. message) end
end

--- Tries one file, if its text or that of what it requires is another one than before.
local function try(self, file)
  local message = shadows(self, file)
  local made
  if not message then made, message = bundle.make(file.module, self.sources) end
  if made and self.tried[file.module] == made.sha256 then return end
  local script, code
  if made then script, message, code = tested(self, file, made) end
  self.tried[file.module] = not PASSING[code] and made and made.sha256 or nil
  tell(self, file.label, not script and message or nil)
  if not script then return end
  local before = self.good[file.module]
  self.good[file.module] = script
  if not before or before.sha256 ~= script.sha256 then
    self.host.log.info(("script loaded: %s sha256 %s"):format(script.label, script.sha256))
  end
end

--- Reads what changed. Returns true when something did.
local function read_sources(self, found)
  local changed = self.looks % REHASH == 0
  for module, file in pairs(found.files) do
    if self.marks[module] ~= file.mark or self.looks % REHASH == 0 then
      local source, message = folder.read(file)
      if source then
        changed = changed or not self.sources[module] or self.sources[module].source ~= source
        self.sources[module] = { source = source, label = file.label }
        self.marks[module] = file.mark
      else
        tell(self, file.label, message)
      end
    end
  end
  return changed
end

local function forget_gone(self, found)
  for module in pairs(self.sources) do
    if not found.files[module] then
      self.host.log.info(("script gone: %s"):format(self.sources[module].label))
      tell(self, self.sources[module].label, nil)
      self.sources[module], self.marks[module], self.tried[module], self.good[module] = nil, nil, nil, nil
    end
  end
end

local function forget_wrong(self, found)
  for name in pairs(self.wrong or {}) do
    if not found.wrong[name] then tell(self, name, nil) end
  end
  self.wrong = found.wrong
  for name, message in pairs(found.wrong) do tell(self, name, message) end
end

--- Looks at the folders and tests what is new. Waits. A folder that cannot be read changes nothing.
function library_methods:load()
  local found, message = folder.look(self.host.script.list, self.folders)
  if not found then
    tell(self, "folder", message)
    self.loaded = true
    return
  end
  tell(self, "folder", nil)
  forget_wrong(self, found)
  forget_gone(self, found)
  if read_sources(self, found) then
    local names = {}
    for module in pairs(found.files) do names[#names + 1] = module end
    table.sort(names)
    for _, module in ipairs(names) do
      if self.sources[module] then try(self, found.files[module]) end
    end
  end
  self.looks = self.looks + 1
  self.loaded = true
end

local function serves(script, kind, name)
  if script.kind ~= kind then return false end
  if script.name == name then return true end
  for _, alias in ipairs(script.fields.aliases or {}) do
    if alias == name then return true end
  end
  return false
end

--- True when there is a file for the name, good or not.
function library_methods:knows(kind, name)
  for _, script in pairs(self.good) do
    if serves(script, kind, name) then return true end
  end
  return self.broken[("%s/%s.lua"):format(header.KINDS[kind].folder, name)] ~= nil
end

--- The names of a kind, sorted.
function library_methods:names(kind)
  local out = {}
  for _, script in pairs(self.good) do
    if script.kind == kind then out[#out + 1] = script.name end
  end
  table.sort(out)
  return out
end

--- The script of a name, and what is wrong with its newest version, if that is another one; or nil and a message.
function library_methods:find(kind, name)
  local label = ("%s/%s.lua"):format(header.KINDS[kind].folder, name)
  for _, script in pairs(self.good) do
    if serves(script, kind, name) then return script, self.broken[script.label] end
  end
  if self.broken[label] then return nil, self.broken[label] end
  local names = self:names(kind)
  local close = nearest.of(name, names)
  return nil, ("expected the name of a %s script%s, found %s%s"):format(kind,
    #names > 0 and ", one of " .. table.concat(names, ", ") or "", name,
    close and (" (did you mean %s?)"):format(close) or "")
end

return library
