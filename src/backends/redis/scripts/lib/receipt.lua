-- Receipts: what the server remembers of a client's operations, so that a retry gets the reply of the first attempt
-- [S5].
-- Expects: done (the key); slot, n and proof of the operation, n as text; and the libraries recorded and write-down.
-- proof: empty on the first attempt; on a retry, `<slot> <n>` of a receipt that must be there, or '-'.
-- Returns the reply to a retry or a late copy; nil if this operation is new and may proceed. `record`: the content of
-- its slot.
local function recall(record)
  local last = number_of(record)
  if last == tonumber(n) then return string.sub(record, #n + 2) end
  if last > tonumber(n) then return 'forgotten' end
  local proof_slot, proof_n = string.match(proof, '^(%d+) (%d+)$')
  if proof_n and number_of(redis.call('HGET', done, proof_slot)) < tonumber(proof_n) then return 'forgotten' end
  return nil
end
local function remember(reply)
  write_down(slot, n .. ' ' .. reply)
  return reply
end
-- Nothing was done. A retry records that: its first copy, arriving late, must not be carried out after all.
local function refuse(reply)
  if proof == '' then return reply end
  return remember(reply)
end
