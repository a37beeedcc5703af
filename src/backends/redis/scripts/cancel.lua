-- Ends a ticket in any state: it leaves the queue, or passes on the lock if it holds it by now [L7].
-- KEYS: lock queue asks stamp done state
-- ARGV: ticket slot n proof keep refresh seen
--   see release.lua
-- Replies: 'cancelled' (it was waiting, or unknown), 'released' (it held the lock), 'forgotten', or the recorded reply
-- Promises: S5 L2 L7 L8 L9
local lock, queue, asks, stamp, done, state = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local ticket, slot, n, proof, keep, refresh = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local seen = tonumber(ARGV[7])
-- @include recorded
-- @include write-down
-- @include receipt
-- @include bounds
-- @include stamp
-- @include holder
-- @include queue
-- @include hand-over
local known = recall(redis.call('HGET', done, slot))
if known and is_end(known) then return known end
local held = redis.call('GET', lock)
redis.call('ZCARD', queue)
leave(ticket)
if not is_held_by(held, ticket) then return remember('cancelled') end
redis.call('DEL', lock)
hand_over(clock(), nil)
return remember('released')
