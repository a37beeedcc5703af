-- Ends the grant of another holder: exactly this ticket's, or a foreign token's. The next waiter gets the lock, and the
-- old holder a wake.
-- KEYS: lock queue asks stamp done state
-- ARGV: ticket slot n proof keep refresh seen ifFence
--   slot … refresh: see release.lua, of the client that forces the release; ifFence: one of the holder's fences, or
--   empty for any
-- Replies: 'released', 'lost', 'forgotten', or the recorded reply of the first attempt
-- Promises: S4 S5 L2 L6 L8 L11
local lock, queue, asks, stamp, done, state = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local ticket, slot, n, proof, keep, refresh = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local seen, if_fence = tonumber(ARGV[7]), tonumber(ARGV[8])
-- @include recorded
-- @include write-down
-- @include receipt
-- @include bounds
-- @include stamp
-- @include holder
-- @include queue
-- @include hand-over
local known = recall(redis.call('HGET', done, slot))
if known then return known end
local held = redis.call('GET', lock)
if held ~= ticket and not is_held_by(held, ticket) then return refuse('lost') end
local holder, client, first, last = parse_holder(held)
if if_fence and (not holder or if_fence < first or if_fence > last) then return refuse('lost') end
redis.call('ZCARD', queue)
leave(ticket)
redis.call('DEL', lock)
if holder then wake(client, 'forced ' .. holder .. ' ' .. lock_id()) end
hand_over(clock(), nil)
return remember('released')
