-- What the bodies of this worker thread's requests may take of its memory. Envoy keeps a body until its stream ends, for another try, and
-- a copy of it while it is sent: a request is let in if there is room for both, by the length that it announces.
-- A stream's handle is alive for as long as the stream, so the table that holds handles weakly forgets the streams that have ended.
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

-- Without the streams that have ended. Twice: the first time finalizes their handles, the second takes them out of the table.
local function recount(now)
  if now - recounted < RECOUNT_MILLISECONDS then return end
  collectgarbage()
  collectgarbage()
  total, by_client, recounted = 0, {}, now
  for _, body in pairs(held) do count(body.client, body.bytes) end
end

-- Takes room for a body of so many bytes; false if there is none.
local function take_room(handle, client, length)
  local bytes = COPIES * length
  if bytes <= COPIES * SMALL_BYTES then return true end
  if not has_room(client, bytes) then recount(handle:timestamp()) end
  if not has_room(client, bytes) then return false end
  held[handle] = { client = client, bytes = bytes }
  count(client, bytes)
  return true
end

-- Gives back what the body, now that it is here, does not need.
local function keep_room(handle, length)
  local body = held[handle]
  if body == nil then return end
  count(body.client, COPIES * length - body.bytes)
  body.bytes = COPIES * length
end
