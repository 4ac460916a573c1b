-- Says in a response what is left of its client's budget, and when that is renewed. In headers of its own, because Envoy's x-ratelimit-*
-- are also those of the limit on requests, and in the error of a client that has used up a budget.
local WINDOWS = { tokens_per_minute = "minute", monthly_tokens = "month of 30 days", monthly_usd = "month of 30 days" }
local CODES = { monthly_usd = "monthly_budget_exceeded" }

-- Kind and limit of the budget that Envoy's header begins with, the one with the fewest units left; after it come all of them:
-- 60, 5000;w=2592000;name="monthly_tokens", 60;w=60;name="tokens_per_minute".
local function tightest(limits, reset)
  local limit, kind = limits:match("^%d+"), nil
  for one, window, name in limits:gmatch('(%d+);w=(%d+);name="([%w_]+)"') do
    if one == limit and tonumber(window) >= reset then kind = name end
  end
  return kind, tonumber(limit)
end

local function amount(kind, units)
  if kind ~= "monthly_usd" then return string.format("%d", units) end
  return (string.format("%.4f", units / UNITS_PER_USD):gsub("%.?0+$", ""))
end

local function explain(handle, kind, limit, reset)
  local renewed = os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(handle:timestamp() / 1000) + reset)
  local what = kind == "monthly_usd" and "US dollars" or "tokens"
  local message = "This client has used its budget of %s %s per %s; nothing is left. It renews at %s, in %d seconds."
  local error = '{"error":{"message":"%s","type":"%s","param":null,"code":"%s"}}'
  local group = kind == "tokens_per_minute" and "tokens" or "insufficient_quota"
  message = message:format(amount(kind, limit), what, WINDOWS[kind], renewed, reset)
  handle:body():setBytes(error:format(message, group, CODES[kind] or kind .. "_exceeded"))
end

function envoy_on_response(handle)
  local headers = handle:headers()
  local limits, left, reset = headers:get("x-ratelimit-limit"), headers:get("x-ratelimit-remaining"), headers:get("x-ratelimit-reset")
  if limits == nil or left == nil or reset == nil then return end
  local kind, limit = tightest(limits, tonumber(reset))
  for _, name in ipairs({ "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset" }) do headers:remove(name) end
  if kind == nil then return end
  headers:add("x-budget", kind)
  headers:add("x-budget-limit", amount(kind, limit))
  headers:add("x-budget-remaining", amount(kind, tonumber(left)))
  headers:add("x-budget-reset", reset)
  if headers:get("x-envoy-ratelimited") then
    headers:replace("retry-after", reset)
    explain(handle, kind, limit, tonumber(reset))
  end
end
