-- The key `model` of a JSON object, found in one pass over its bytes. No tree is built: that of a 32 MiB body would take 3 GiB.
-- Nested values are skipped by quotes and brackets only; the model server checks that they are JSON. It is a single loop, so that LuaJIT
-- compiles it for all bodies.
local byte = string.byte
local PIECE_BYTES, MOST_MEMBERS = 65536, 1000
-- Longest key or name in its JSON spelling: each character may be an escape of six characters.
local LONGEST_KEY, LONGEST_NAME = 6 * 5, 6 * 256
local QUOTE, BACKSLASH, COLON, COMMA, LIST, LIST_END, OBJECT, OBJECT_END, NULL = 34, 92, 58, 44, 91, 93, 123, 125, 110
-- State within the top-level object. After KEY: in the key, or before it.
local BEFORE, FIRST_KEY, KEY, AFTER_KEY, VALUE, SCALAR, AFTER_VALUE, BEHIND = 1, 2, 3, 4, 5, 6, 7, 8
local ESCAPED = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ["/"] = "/", ["\\"] = "\\", ['"'] = '"' }

-- Decodes a JSON string; every non-ASCII character becomes one that no name contains.
local function unescaped(text)
  return (text:gsub("\\(.)(%x?%x?%x?%x?)", function(code, digits)
    if code == "u" then return digits:match("^00[0-7]%x$") and string.char(tonumber(digits, 16)) or "\255" end
    return (ESCAPED[code] or "\255") .. digits
  end))
end

-- Whether the body is an object, and its `model`: text; nil if it is missing or null; false for any other value. Of duplicate keys the last
-- counts, as in the model server.
local function model_of(body)
  local length, at, place, depth, in_string = body:length(), 1, BEFORE, 0, false
  local first, members, of_model, model, name_first, name_size = 0, 0, false, nil, 0, 0
  for offset = 0, length - 1, PIECE_BYTES do
    local piece = body:getBytes(offset, math.min(PIECE_BYTES, length - offset))
    local size = #piece
    while at <= size do
      local current = byte(piece, at)
      if in_string then
        if current == BACKSLASH then
          at = at + 1 -- skip the escaped character, which may be in the next chunk
        elseif current == QUOTE then
          in_string = false
          local text_size = offset + at - 1 - first
          if depth == 1 and place == KEY then
            of_model = text_size >= 5 and text_size <= LONGEST_KEY and unescaped(body:getBytes(first, text_size)) == "model"
            place = AFTER_KEY
          elseif depth == 1 then
            if of_model then model, name_first, name_size = true, first, text_size end
            place = AFTER_VALUE
          end
        end
      elseif depth > 1 then
        if current == QUOTE then
          in_string = true
        elseif current == LIST or current == OBJECT then
          depth = depth + 1
        elseif current == LIST_END or current == OBJECT_END then
          depth = depth - 1
        end
      elseif current == 32 or current == 10 or current == 13 or current == 9 then
        if place == SCALAR then place = AFTER_VALUE end
      elseif place == VALUE then
        if current == QUOTE then
          in_string, first = true, offset + at
        else
          if of_model then
            model = nil
            if current ~= NULL then model = false end
          end
          place = SCALAR
          if current == LIST or current == OBJECT then depth, place = 2, AFTER_VALUE end
        end
      elseif current == QUOTE and (place == KEY or place == FIRST_KEY) then
        in_string, first, place, members = true, offset + at, KEY, members + 1
        if members > MOST_MEMBERS then return false end
      elseif current == COLON and place == AFTER_KEY then
        place = VALUE
      elseif current == COMMA and (place == AFTER_VALUE or place == SCALAR) then
        place = KEY
      elseif current == OBJECT_END and (place == AFTER_VALUE or place == SCALAR or place == FIRST_KEY) then
        place = BEHIND
      elseif current == OBJECT and place == BEFORE then
        depth, place = 1, FIRST_KEY
      elseif place ~= SCALAR then
        return false
      end
      at = at + 1
    end
    at = at - size
  end
  if model == true then
    model = name_size <= LONGEST_NAME and unescaped(body:getBytes(name_first, name_size)) or "\255"
  end
  return place == BEHIND, model
end
