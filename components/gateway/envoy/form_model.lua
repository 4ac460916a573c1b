-- The `model` of a form, as audio is sent. It is looked for piece by piece, in the head of a part; of several the last counts, as for the
-- model server. What looks like such a head within a file does no harm: a client's models are checked after, and a server serves its own.
local FIELD, LONGEST_PART = 'name="model"', 1024

local function model_of_form(body)
  local model, length = nil, body:length()
  for offset = 0, length - 1, PIECE_BYTES do
    local piece = body:getBytes(offset, math.min(PIECE_BYTES + #FIELD - 1, length - offset))
    local start = piece:find(FIELD, 1, true)
    while start do
      local part = body:getBytes(offset + start - 1, math.min(LONGEST_PART, length - offset - start + 1))
      local _, head = part:find("\r\n\r\n", 1, true)
      model = head and part:match("^([^\r\n]*)\r\n", head + 1) or model
      start = piece:find(FIELD, start + 1, true)
    end
  end
  return model
end
