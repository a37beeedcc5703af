-- Reports who holds a lock, for how long, and how many wait for it.
-- KEYS: lock queue
-- ARGV: none
-- Replies: [value, remaining ms or -1 if it never expires, waiters], or 0 if it is free
-- Promises: L1 L11
-- @include bounds
local held = redis.call('GET', KEYS[1])
if not held then return 0 end
-- Tickets beyond this score are passed over; the new holder is one of them until its first command (lib/queue.lua).
return { held, redis.call('PTTL', KEYS[1]), redis.call('ZCOUNT', KEYS[2], '-inf', '(' .. string.format('%.0f', BEYOND)) }
