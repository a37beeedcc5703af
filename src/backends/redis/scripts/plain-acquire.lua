-- Acquires a lock of the plain protocol (holdfast/statefulpy): SET NX PX, as its Python clients do. A token that has
-- the lock already gets it again, since its first reply may have been lost.
-- KEYS: lock
-- ARGV: token leaseMs
-- Replies: 'granted', or 'busy' with the holder's token and what is left of its lease in ms (-1: it has no end)
-- Promises: L2 L11
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then return { 'busy', held, redis.call('PTTL', KEYS[1]) } end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return { 'granted' }
