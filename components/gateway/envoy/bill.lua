-- What a request is charged of its client's budgets: the tokens, and their cost in whole units.

-- By client: the part of a unit that this worker thread has charged in advance.
local in_advance = {}

-- The bill of a client with a budget, else nil.
local function new_bill(handle)
  local budget = handle:streamInfo():dynamicMetadata():get("budget")
  if budget == nil then return nil end
  local price = handle:metadata()
  return {
    client = budget["client"], prompt = 0, completion = 0, cost = 0, charged = 0,
    prompt_price = price:get("prompt") or 0, completion_price = price:get("completion") or 0,
  }
end

-- `prompt` and `completion`: counts so far, nil where an answer does not have them.
local function charge(handle, bill, prompt, completion)
  bill.prompt, bill.completion = prompt or bill.prompt, completion or bill.completion
  local cost = bill.prompt * bill.prompt_price + bill.completion * bill.completion_price
  local due = cost - bill.cost - (in_advance[bill.client] or 0)
  local units = math.max(0, math.ceil(due - 1e-9))
  in_advance[bill.client] = units - due
  bill.cost, bill.charged = cost, bill.charged + units
  local metadata = handle:streamInfo():dynamicMetadata()
  metadata:set("budget", "tokens", bill.prompt + bill.completion)
  metadata:set("budget", "cost", bill.charged)
end
