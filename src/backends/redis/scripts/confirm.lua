-- Checks whether the effects of operations are still there, and makes a small write to each. A WAIT that follows on the
-- same connection waits only for that connection's last write, and so for everything that the server did before. A lock
-- gets its full lease, a receipt its full expiry.
-- KEYS: done
-- ARGV: prefix keep operations
-- Each operation: id ticket leaseMs slot n
--   operations: JSON, an array of arrays (unlike lib/operations.lua: whole tickets, no terms)
--   ticket: the holder of this id's lock, or of a share; or empty: the receipt of slot and n
--   keep: how long receipts live, in ms
-- Replies: an array, with 1 (still there), 0 (gone: nothing was written) or an error for each
-- Promises: S5 L1 L9 L12 L13
local done = KEYS[1]
local prefix, keep, operations = ARGV[1], ARGV[2], cjson.decode(ARGV[3])
-- @include keys
-- @include isolated
local ticket, lease, slot, n
local function confirm_lock()
  local held = redis.call('GET', lock)
  if not held or string.sub(held, 1, #ticket + 1) ~= ticket .. ' ' then return 0 end
  redis.call('PEXPIRE', lock, lease)
  -- The first command after a hand-over confirms it.
  if redis.call('ZREM', queue, ticket) == 1 then redis.call('HDEL', asks, ticket) end
  return 1
end
local function confirm_receipt()
  local record = redis.call('HGET', done, slot)
  if not record or string.match(record, '^%d+') ~= n then return 0 end
  redis.call('PEXPIRE', done, keep)
  return 1
end
local replies, remaining = {}, {}
for i, operation in ipairs(operations) do
  local id
  id, ticket, lease, slot, n = unpack(operation)
  set_all_keys(id)
  replies[i] = isolated(ticket == '' and confirm_receipt or confirm_lock)
  if ticket ~= '' and replies[i] == 0 then remaining[#remaining + 1] = i end
end
if #remaining == 0 then return replies end

-- Some may have shares.
local now
-- @include bounds
-- @include stamp
-- @include shares
-- @include queue
-- @include keep-share
now = clock()
local function confirm_share()
  return keep_share(redis.call('GET', lock))
end
for _, i in ipairs(remaining) do
  local id
  id, ticket, lease = unpack(operations[i])
  set_all_keys(id)
  replies[i] = isolated(confirm_share)
end
return replies
