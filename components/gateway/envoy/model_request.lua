-- What a request asks for: an operation and a model. The routes are chosen by the two headers set here; those that a client sent are gone.
local ADMINISTRATION = { ["/v1/load_lora_adapter"] = true, ["/v1/unload_lora_adapter"] = true }
local PREFIX_BYTES = 1024

local function refuse(handle, status, code, message, extra)
  local headers = { [":status"] = status, ["content-type"] = "application/json" }
  for name, value in pairs(extra or {}) do headers[name] = value end
  local body = '{"error": {"message": "%s", "type": "invalid_request_error", "param": null, "code": "%s"}}'
  handle:respond(headers, body:format(message, code))
end

local function choose(handle, operation, model)
  local headers = handle:headers()
  headers:replace("x-gateway-operation", operation)
  if model and (#model > 256 or not model:match("^[!-~]+$")) then
    return refuse(handle, "404", "model_not_found", "There is no such model; GET /v1/models lists yours.")
  end
  if model then headers:replace("x-gateway-model", model) end
  handle:clearRouteCache()
end

-- FNV-1a over the beginning of the prompt; requests that begin alike go to one replica.
local function prefix_hash(body)
  local start = body:find('"messages"', 1, true) or body:find('"prompt"', 1, true) or body:find('"input"', 1, true) or 1
  local hash = 2166136261
  for index = start, math.min(#body, start + PREFIX_BYTES - 1) do
    hash = bit.bxor(hash, body:byte(index))
    hash = bit.tobit(hash + bit.lshift(hash, 1) + bit.lshift(hash, 4) + bit.lshift(hash, 7) + bit.lshift(hash, 8) + bit.lshift(hash, 24))
  end
  return bit.tohex(hash)
end

local function infer(handle)
  local headers = handle:headers()
  local content_type = (headers:get("content-type") or ""):lower()
  if content_type:match("^multipart/") then
    return refuse(handle, "415", "unsupported_media_type", "Uploads are not served here: send application/json.")
  end
  if not content_type:match("^application/json%s*$") and not content_type:match("^application/json%s*;") then
    return refuse(handle, "415", "unsupported_media_type", "Send the request as application/json.")
  end
  local request = handle:streamInfo():dynamicMetadata():get("request") or {}
  if request.invalid then
    return refuse(handle, "400", "invalid_json", "The body is not valid JSON.")
  end
  local model = request.model
  if model == nil or model == "" then
    model = headers:get("x-gateway-default-model")
    if model == nil then
      return refuse(handle, "400", "missing_model", "Say which `model`; GET /v1/models lists yours.")
    end
  elseif type(model) ~= "string" then
    return refuse(handle, "400", "invalid_model", "`model` must be a string.")
  end
  local body = AFFINITY and handle:body()
  if body then
    -- Not `headers`: to wait for the body ends the life of what was had before.
    handle:headers():replace("x-gateway-prefix", prefix_hash(body:getBytes(0, math.min(body:length(), 65536))))
  end
  choose(handle, "infer", model)
end

local function unescape(text)
  return (text:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local path = headers:get(":path"):match("^[^?#]*")
  local method = headers:get(":method")
  local reads = path == "/v1/models" or path:sub(1, 11) == "/v1/models/"
  if path:sub(1, 4) ~= "/v1/" or ADMINISTRATION[path:gsub("/+$", "")] then
    return refuse(handle, "404", "unknown_url", "Only the OpenAI API is served here, under /v1/.")
  elseif method ~= (reads and "GET" or "POST") then
    local allowed = reads and "GET" or "POST"
    return refuse(handle, "405", "method_not_allowed", "Use " .. allowed .. " here.", { allow = allowed })
  elseif path == "/v1/models" then
    choose(handle, "list")
  elseif reads then
    choose(handle, "describe", unescape(path:sub(12)))
  else
    infer(handle)
  end
end

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
  elseif status == "429" and headers:get("x-ratelimit-remaining") == "0" then
    -- A client over its rate may come back when there is room again.
    headers:replace("retry-after", headers:get("x-ratelimit-reset"))
  end
end
