-- Receipts: what the server remembers of a client's operations, so that a retry gets the first try's answer [S5].
-- Expects: done (the key); slot, n and proof of the operation, n as text; keep, refresh; and the library recorded.
-- In the hash: slot -> `<n> <reply>`; and `about`, for a reason below. The client lets the hash be refreshed every keep/4
-- (refresh is '1' then).
-- proof: empty on the first try; on a retry `<slot> <n>` of a receipt that must be there, or '-'.
-- The answer to a retry or a late copy; nil when this operation is new and may go on. `record`: what its slot holds.
local function recall(record)
  local last = number_of(record)
  if last == tonumber(n) then return string.sub(record, #n + 2) end
  if last > tonumber(n) then return 'forgotten' end
  local proof_slot, proof_n = string.match(proof, '^(%d+) (%d+)$')
  if proof_n and number_of(redis.call('HGET', done, proof_slot)) < tonumber(proof_n) then return 'forgotten' end
  return nil
end
-- By default a value of more than 64 bytes makes Redis keep a hash as a table. As a list, which a small hash is
-- otherwise, it would be searched from its beginning, twice per operation.
local ABOUT = 'what this client of Holdfast was answered last, by slot, for its retries'
-- Slots and what they hold now, one after the other. By pcall: what was done is done.
local function write_down(records)
  local new = redis.pcall('HSET', done, unpack(records))
  local is_new = type(new) == 'number' and new > 0
  -- A new field may mean a new hash: then it is no table yet, and has no expiry.
  if is_new then redis.pcall('HSET', done, 'about', ABOUT) end
  if refresh == '1' or is_new then redis.call('PEXPIRE', done, keep) end
end
local function remember(reply)
  write_down({ slot, n .. ' ' .. reply })
  return reply
end
-- Nothing was done. A retry records that: its first copy, arriving late, must not be carried out after all.
local function refuse(reply)
  if proof == '' then return reply end
  return remember(reply)
end
