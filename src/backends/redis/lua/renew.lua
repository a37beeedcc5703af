-- Gives grants their full lease again: each, if its ticket still holds the lock.
-- KEYS: none
-- ARGV: prefix operations
-- Each operation: id ticket leaseMs
--   operations: JSON, an array of arrays
-- Replies: an array, with for each 1 renewed, 0 lost, or its error
-- Promises: L1 L5 L6
local prefix, operations = ARGV[1], cjson.decode(ARGV[2])
-- @include aim
-- @include alone
local locks, queues = {}, {}
for i, operation in ipairs(operations) do
  aim(operation[1])
  locks[i], queues[i] = lock, queue
end
local holders = redis.call('MGET', unpack(locks))
local anybody_waits = redis.call('EXISTS', unpack(queues)) > 0
local ticket, lease
local function renew(held)
  -- What is no string is not there for MGET; GET says so.
  held = held or redis.call('GET', lock)
  if not held or string.sub(held, 1, #ticket + 1) ~= ticket .. ' ' then return 0 end
  redis.call('PEXPIRE', lock, lease)
  -- The first command after a hand-over confirms it.
  if anybody_waits and redis.call('ZREM', queue, ticket) == 1 then redis.call('HDEL', asks, ticket) end
  return 1
end
local replies = {}
for i, operation in ipairs(operations) do
  local id
  id, ticket, lease = unpack(operation)
  aim_at_all(id)
  replies[i] = alone(renew, holders[i])
end
return replies
