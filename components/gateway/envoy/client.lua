-- The client is known now: choose its route.
function envoy_on_request(handle)
  handle:clearRouteCache()
end

-- A client over its rate may come back when its next minute begins.
function envoy_on_response(handle)
  local headers = handle:headers()
  local reset = headers:get("x-ratelimit-reset")
  if headers:get(":status") == "429" and reset ~= nil and headers:get("x-ratelimit-remaining") == "0" then
    headers:replace("retry-after", reset)
  end
end
