-- wrk's script: chats with models chosen at random, a pause before each, and the figures as a line of JSON.
-- Arguments: key, number of models to ask for, "stream" or "plain", mean pause in milliseconds (0: none).
local requests, threads = {}, 0

function setup(thread)
  threads = threads + 1
  thread:set("number", threads)
end

local function body(model, streamed)
  local text = ("The quick brown fox jumps over the lazy dog. "):rep(24)
  local form = '{"model": "%s", "messages": [{"role": "user", "content": "%s"}], "max_tokens": 20, "stream": %s}'
  return form:format(model, text, tostring(streamed))
end

function init(arguments)
  local key, models, kind, pause = arguments[1], tonumber(arguments[2]), arguments[3], tonumber(arguments[4])
  local headers = { ["Content-Type"] = "application/json", ["Authorization"] = "Bearer " .. key }
  for index = 0, models - 1 do
    requests[index + 1] = wrk.format("POST", "/v1/chat/completions", headers, body("model-" .. index, kind == "stream"))
  end
  math.randomseed(os.time() * 1000 + number)
  if pause > 0 then
    -- Exponential, so that clients do not come in step.
    function delay() return math.floor(-math.log(1 - math.random()) * pause + 0.5) end
  end
end

function request()
  return requests[math.random(#requests)]
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  local form = '{"requests": %d, "failed": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f}\n'
  io.write(form:format(summary.requests, failed, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
