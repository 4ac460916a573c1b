-- Token counts of an answer, whole or a stream, read as it passes. In a JSON string the quotes around `usage` would be escaped, so no
-- text that a model writes looks like this. Only what could be the beginning of a usage is kept: a stream passes here token by token.
local USAGE, LONGEST_USAGE = '"usage"', 1024

local function remember(handle, usage, key, pattern, other_pattern)
  local count = usage:match(pattern) or usage:match(other_pattern)
  if count then handle:streamInfo():dynamicMetadata():set("tokens", key, tonumber(count)) end
end

local function count_tokens(handle)
  local rest = ""
  for chunk in handle:bodyChunks() do
    local text = rest .. chunk:getBytes(0, chunk:length())
    rest = text:sub(1 - #USAGE)
    local start, stop = text:find(USAGE, 1, true)
    while start do
      local usage = text:match("^:%s*(%b{})", stop + 1)
      if usage then
        remember(handle, usage, "prompt", '"prompt_tokens":%s*(%d+)', '"input_tokens":%s*(%d+)')
        remember(handle, usage, "completion", '"completion_tokens":%s*(%d+)', '"output_tokens":%s*(%d+)')
      elseif #text - start < LONGEST_USAGE and (text:find("^:?%s*$", stop + 1) or text:find("^:%s*{", stop + 1)) then
        rest = text:sub(start)
      end
      start, stop = text:find(USAGE, stop + 1, true)
    end
  end
end

function envoy_on_response(handle)
  local headers = handle:headers()
  local status = headers:get(":status")
  if status == "200" then
    count_tokens(handle)
  elseif status == "503" and headers:get("retry-after") == nil then
    -- A replica that sheds load says so without a time: one is given, so that clients come back and not at once.
    headers:add("retry-after", RETRY_AFTER)
  elseif status:sub(1, 1) == "3" then
    -- A model server does not know by which scheme it has been asked; the path alone is right for every client.
    local location = headers:get("location")
    if location then headers:replace("location", (location:gsub("^https?://[^/]*", ""))) end
  elseif status == "429" and headers:get("x-ratelimit-remaining") == "0" then
    -- A client over its rate may come back when there is room again.
    headers:replace("retry-after", headers:get("x-ratelimit-reset"))
  end
end
