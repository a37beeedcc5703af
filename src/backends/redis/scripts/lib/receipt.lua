-- Receipts: what the server remembers of a client's operations, so that a retry gets the reply of the first attempt
-- [S5].
-- Expects: done (the key); slot, n and proof of the operation, n as text; keep, refresh; and the library recorded.
-- In the hash: slot -> `<n> <reply>`; and `about`, explained below. The client has the hash renewed in every quarter of
-- keep (refresh is '1' then).
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
-- By default, a value of more than 64 bytes makes Redis store a hash as a hash table. A small hash is otherwise a list,
-- which would be searched from its beginning, twice per operation.
local ABOUT = 'what this client of Holdfast was answered last, by slot, for its retries'
-- Slots and their new contents, alternating. By pcall, since the operation has already been carried out.
local function write_down(records)
  local new = redis.pcall('HSET', done, unpack(records))
  local is_new = type(new) == 'number' and new > 0
  -- A new field may mean a new hash, which is not a hash table yet, and has no expiry.
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
