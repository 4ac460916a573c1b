-- Limits the memory of request bodies in this worker thread. Envoy keeps a body until its stream ends, for a retry, and a copy while it
-- sends it: a request is admitted if there is memory for both, by its content-length.
-- A handle lives as long as its stream, so that ended streams disappear from the weak table `held`.
local COPIES, SMALL_BYTES, RECOUNT_MILLISECONDS = 2, 16384, 20
local held = setmetatable({}, { __mode = "k" })
local total, by_client, recounted = 0, {}, 0

local function count(client, bytes)
  total = total + bytes
  by_client[client] = (by_client[client] or 0) + bytes
end

local function has_room(client, bytes)
  return total + bytes <= BODY_MEMORY and (by_client[client] or 0) + bytes <= CLIENT_BODY_MEMORY
end

-- Recounts without ended streams. Two collections: the first finalizes their handles, the second removes them from the table.
local function recount(now)
  if now - recounted < RECOUNT_MILLISECONDS then return end
  collectgarbage()
  collectgarbage()
  total, by_client, recounted = 0, {}, now
  for _, body in pairs(held) do count(body.client, body.bytes) end
end

-- Reserves memory for a body of `length` bytes; false if there is too little.
local function take_room(handle, client, length)
  local bytes = COPIES * length
  if bytes <= COPIES * SMALL_BYTES then return true end
  if not has_room(client, bytes) then recount(handle:timestamp()) end
  if not has_room(client, bytes) then return false end
  held[handle] = { client = client, bytes = bytes }
  count(client, bytes)
  return true
end

-- Reduces the reservation to the actual length of the received body.
local function keep_room(handle, length)
  local body = held[handle]
  if body == nil then return end
  count(body.client, COPIES * length - body.bytes)
  body.bytes = COPIES * length
end
