-- Reads the token counts of a response, whole or streamed, as it passes. The quotes around "usage" are escaped inside a JSON string, so
-- generated text cannot match. Between chunks only a possible beginning of a usage object is kept, because streams arrive token by token.
local USAGE, LONGEST_USAGE = '"usage"', 1024

local function remember(handle, usage, key, pattern, other_pattern)
  local count = tonumber(usage:match(pattern) or usage:match(other_pattern))
  if count then handle:streamInfo():dynamicMetadata():set("tokens", key, count) end
  return count
end

local function count_tokens(handle)
  local rest, bill = "", CLIENT_BUDGETS and new_bill(handle)
  for chunk in handle:bodyChunks() do
    local text = rest .. chunk:getBytes(0, chunk:length())
    rest = text:sub(1 - #USAGE)
    local start, stop = text:find(USAGE, 1, true)
    while start do
      local usage = text:match("^:%s*(%b{})", stop + 1)
      if usage then
        local prompt = remember(handle, usage, "prompt", '"prompt_tokens":%s*(%d+)', '"input_tokens":%s*(%d+)')
        local completion = remember(handle, usage, "completion", '"completion_tokens":%s*(%d+)', '"output_tokens":%s*(%d+)')
        if bill then charge(handle, bill, prompt, completion) end
      elseif #text - start < LONGEST_USAGE and (text:find("^:?%s*$", stop + 1) or text:find("^:%s*{", stop + 1)) then
        rest = text:sub(start)
      end
      start, stop = text:find(USAGE, stop + 1, true)
    end
  end
end

-- The error of a model that sleeps. The header of a local reply (replies.py) says that no replica could be reached.
local function say_that_it_wakes(handle, headers)
  local seconds = handle:metadata():get("wakes_in")
  if seconds == nil then return end
  headers:replace("retry-after", string.format("%d", seconds))
  handle:streamInfo():dynamicMetadata():set("vllm-platform", "waking", true)
  local message = "This model sleeps while nobody uses it. Your request wakes it: try again in about %d seconds."
  local error = '{"error":{"message":"%s","type":"server_error","param":"model","code":"model_waking"}}'
  handle:body():setBytes(error:format(message:format(seconds)))
end

function envoy_on_response(handle)
  local headers = handle:headers()
  local status = headers:get(":status")
  if status == "200" then
    count_tokens(handle)
  elseif status == "503" and headers:get("x-gateway-no-replica") then
    headers:remove("x-gateway-no-replica")
    say_that_it_wakes(handle, headers)
  elseif status == "503" and headers:get("retry-after") == nil then
    -- vLLM's 503 has no Retry-After: add one, so that clients do not retry at once.
    headers:add("retry-after", RETRY_AFTER)
  elseif status:sub(1, 1) == "3" then
    -- A model server does not know the client's scheme and host, so the redirect keeps only the path.
    local location = headers:get("location")
    if location then headers:replace("location", (location:gsub("^https?://[^/]*", ""))) end
  elseif status == "429" and headers:get("x-ratelimit-remaining") == "0" and headers:get("x-budget") == nil then
    -- Retry-After of a client over its rate: the time until its next request is allowed.
    headers:replace("retry-after", headers:get("x-ratelimit-reset"))
  end
end
