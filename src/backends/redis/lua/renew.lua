-- Gives a grant its full lease again, if this ticket still holds the lock.
-- KEYS: lock queue asks
-- ARGV: ticket leaseMs
-- Replies: 1 renewed, 0 lost
-- Promises: L1 L5 L6
local lock, queue, asks = KEYS[1], KEYS[2], KEYS[3]
local ticket, lease = ARGV[1], ARGV[2]
local held = redis.call('GET', lock)
if not held or string.sub(held, 1, #ticket + 1) ~= ticket .. ' ' then return 0 end
redis.call('PEXPIRE', lock, lease)
-- The first command after a hand-over confirms it.
if redis.call('ZREM', queue, ticket) == 1 then redis.call('HDEL', asks, ticket) end
return 1
