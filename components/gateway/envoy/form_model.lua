-- The field `model` of a multipart form, as for audio. Searched chunk by chunk, in the headers of parts; the last one counts, as in the
-- model server. A match inside a file is harmless: the client's models are checked afterwards, and a server serves only its own model.
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
