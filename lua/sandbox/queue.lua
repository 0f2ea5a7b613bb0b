--- Timed actions in virtual time: a binary heap, equal times in the order they were added.

local queue = {}

local queue_methods = {}
local queue_mt = { __index = queue_methods }

function queue.new()
  return setmetatable({ heap = {}, added = 0 }, queue_mt)
end

local function before(a, b)
  if a.time ~= b.time then return a.time < b.time end
  return a.number < b.number
end

--- Returns the entry; setting its `cancelled` makes it do nothing.
function queue_methods:add(time, run)
  self.added = self.added + 1
  local entry = { time = time, number = self.added, run = run }
  local heap, at = self.heap, #self.heap + 1
  heap[at] = entry
  while at > 1 and before(heap[at], heap[at // 2]) do
    heap[at], heap[at // 2] = heap[at // 2], heap[at]
    at = at // 2
  end
  return entry
end

--- When the next action is due, or nil.
function queue_methods:next_time()
  while self.heap[1] and self.heap[1].cancelled do self:pop() end
  return self.heap[1] and self.heap[1].time
end

--- Takes the next entry out.
function queue_methods:pop()
  local heap = self.heap
  local first, last = heap[1], table.remove(heap)
  if first == last then return first end
  heap[1] = last
  local at = 1
  while true do
    local smallest = at
    for child = 2 * at, 2 * at + 1 do
      if heap[child] and before(heap[child], heap[smallest]) then smallest = child end
    end
    if smallest == at then return first end
    heap[at], heap[smallest] = heap[smallest], heap[at]
    at = smallest
  end
end

return queue
