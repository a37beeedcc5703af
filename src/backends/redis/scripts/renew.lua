-- Renews the full lease of each grant whose ticket still holds the lock.
-- KEYS: none
-- ARGV: operations prefix
-- Each operation: id number terms; its terms: leaseMs
--   operations: as lib/operations.lua says
-- Replies: an array, with 1 (renewed), 0 (lost) or an error for each
-- Promises: L1 L5 L6 L12 L13
local prefix = ARGV[2]
local width = 3
-- The offsets of an operation's fields from its beginning, and of its terms.
local ID, NUMBER, TERMS = 0, 1, 2
local LEASE = 0
-- @include alone
-- @include operations
-- @include keys
-- @include isolated
local locks, queues = {}, {}
for i = 1, count do
  local id = operations[first_at + width * (i - 1) + ID]
  locks[i], queues[i] = lock_start .. id .. '}', queue_start .. id .. '}'
end
local holders = redis.call('MGET', unpack(locks))
local anybody_waits = redis.call('EXISTS', unpack(queues)) > 0
local function renew(held, at)
  -- MGET reports a value that is not a string as missing; GET reports the error.
  if not is_ours(held or redis.call('GET', lock), operations[at + NUMBER]) then return 0 end
  redis.call('PEXPIRE', lock, operations[terms_at + operations[at + TERMS] + LEASE])
  -- The first command after a hand-over confirms it.
  if anybody_waits and redis.call('ZREM', queue, base .. operations[at + NUMBER]) == 1 then
    set_all_keys(operations[at + ID])
    redis.call('HDEL', asks, base .. operations[at + NUMBER])
  end
  return 1
end
local replies, remaining = {}, {}
for i = 1, count do
  local at = first_at + width * (i - 1)
  lock, queue = locks[i], queues[i]
  replies[i] = isolated(renew, holders[i], at)
  if replies[i] == 0 and holders[i] then remaining[#remaining + 1] = i end
end
if #remaining == 0 then return replies end

-- Some may have shares.
local ticket, lease, now
-- @include bounds
-- @include stamp
-- @include shares
-- @include queue
-- @include keep-share
now = clock()
for _, i in ipairs(remaining) do
  local at = first_at + width * (i - 1)
  ticket, lease = base .. operations[at + NUMBER], operations[terms_at + operations[at + TERMS] + LEASE]
  set_all_keys(operations[at + ID])
  replies[i] = isolated(keep_share, holders[i])
end
return replies
