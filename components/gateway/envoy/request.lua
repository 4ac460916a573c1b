-- Finds the operation and model of a request, and sets the two headers that select its route; those of the client were removed before.
local ADMINISTRATION = { ["/v1/load_lora_adapter"] = true, ["/v1/unload_lora_adapter"] = true }
local TAKES_FORMS = { ["/v1/audio/transcriptions"] = true, ["/v1/audio/translations"] = true }
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

-- FNV-1a hash of the beginning of the prompt: requests with the same hash go to one replica.
local function prefix_hash(body)
  local start = body:find('"messages"', 1, true) or body:find('"prompt"', 1, true) or body:find('"input"', 1, true) or 1
  local hash = 2166136261
  for index = start, math.min(#body, start + PREFIX_BYTES - 1) do
    hash = bit.bxor(hash, body:byte(index))
    hash = bit.tobit(hash + bit.lshift(hash, 1) + bit.lshift(hash, 4) + bit.lshift(hash, 7) + bit.lshift(hash, 8) + bit.lshift(hash, 24))
  end
  return bit.tohex(hash)
end

-- The whole body, or nil if the request is refused.
local function body_of(handle, headers)
  if (headers:get("content-encoding") or "identity"):lower() ~= "identity" then
    return refuse(handle, "415", "unsupported_media_type", "Compressed bodies are not taken here: send the request without content-encoding.")
  end
  local announced = tonumber(headers:get("content-length") or MAX_BODY)
  if announced > MAX_BODY then
    return refuse(handle, "413", "request_too_large", "The request is larger than this gateway takes.")
  end
  if not take_room(handle, headers:get("x-gateway-client"), announced) then
    return refuse(handle, "503", "overloaded", "Too many large requests are in flight here. Try again shortly.", { ["retry-after"] = RETRY_AFTER })
  end
  local body = handle:body()
  if body == nil then
    return refuse(handle, "400", "invalid_json", "The body is empty; send a JSON object.")
  end
  keep_room(handle, body:length())
  return body
end

local function infer(handle, path)
  local headers = handle:headers()
  local content_type = (headers:get("content-type") or ""):lower()
  local is_form = content_type:match("^multipart/form%-data%s*;") ~= nil
  if is_form and not TAKES_FORMS[path] then
    return refuse(handle, "415", "unsupported_media_type", "Uploads are not served here: send application/json.")
  end
  if not is_form and not content_type:match("^application/json%s*$") and not content_type:match("^application/json%s*;") then
    return refuse(handle, "415", "unsupported_media_type", "Send the request as application/json.")
  end
  local body = body_of(handle, headers)
  if body == nil then return end
  local is_object, model = true, nil
  if is_form then
    model = model_of_form(body)
  else
    is_object, model = model_of(body)
  end
  if not is_object then
    return refuse(handle, "400", "invalid_json", "The body is not a JSON object of at most " .. MOST_MEMBERS .. " members.")
  elseif model == false then
    return refuse(handle, "400", "invalid_model", "`model` must be a string.")
  end
  headers = handle:headers() -- get the headers again: waiting for the body invalidates the earlier object
  if model == nil or model == "" then
    model = headers:get("x-gateway-default-model")
    if model == nil then
      return refuse(handle, "400", "missing_model", "Say which `model`; GET /v1/models lists yours.")
    end
  end
  if AFFINITY then
    local beginning = body:getBytes(0, math.min(body:length(), 65536))
    handle:streamInfo():filterState():set(PREFIX, "envoy.hashable_string", prefix_hash(beginning))
  end
  choose(handle, "infer", model)
end

local function unescape(text)
  return (text:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local path = (headers:get(":path") or ""):match("^[^?#]*"):gsub("/+$", "")
  local method = headers:get(":method")
  local reads = path == "/v1/models" or path:sub(1, 11) == "/v1/models/"
  if path:sub(1, 4) ~= "/v1/" or ADMINISTRATION[path] then
    return refuse(handle, "404", "unknown_url", "Only the OpenAI API is served here, under /v1/.")
  elseif path:sub(1, 7) == "/v1/v1/" then
    return refuse(handle, "404", "unknown_url", "There is a /v1 too many: leave it out of the client's base URL, or of its path.")
  elseif path:sub(1, 14) == "/v1/responses/" then
    return refuse(handle, "404", "unknown_url", "Responses are not stored here: send what came before with each request.")
  elseif method ~= (reads and "GET" or "POST") then
    local allowed = reads and "GET" or "POST"
    return refuse(handle, "405", "method_not_allowed", "Use " .. allowed .. " here.", { allow = allowed })
  elseif path == "/v1/models" then
    choose(handle, "list")
  elseif reads then
    choose(handle, "describe", unescape(path:sub(12)))
  else
    -- Remove the query, which may contain a key by mistake, and a trailing slash, which a model server would answer with a redirect.
    headers:replace(":path", path)
    infer(handle, path)
  end
end
