-- Ends a ticket in any state: it leaves the queue, or passes on the lock if it holds it by now [L7].
-- KEYS: lock queue asks stamp done state sharing
-- ARGV: ticket slot n proof keep refresh seen
--   see release.lua
-- Replies: 'cancelled' (it was waiting, or unknown), 'released' (it held the lock, or a share), 'forgotten', or the recorded reply
-- Promises: S5 L2 L7 L8 L9 L12 L13
local lock, queue, asks, stamp, done, state = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local sharing = KEYS[7]
local ticket, slot, n, proof, keep, refresh = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local seen = tonumber(ARGV[7])
-- @include recorded
-- @include write-down
-- @include receipt
-- @include bounds
-- @include stamp
-- @include holder
-- @include queue
-- @include shares
-- @include hand-over
-- @include end-share
local known = recall(redis.call('HGET', done, slot))
if known and is_end(known) then return known end
local held, now = redis.call('GET', lock), clock()
-- Types are checked before the first write.
local has_queue = redis.call('ZCARD', queue) > 0
if end_share(held, ticket, now) then
  serve_after_share(now)
  return remember('released')
end
leave(ticket)
if is_held_by(held, ticket) then
  redis.call('DEL', lock)
  serve(now, nil, true)
  return remember('released')
end
if has_queue and shares and shares.is_held then
  -- Those behind it may fit where it did not.
  with_shares().remove_expired(now)
  if shares.is_held then serve(now, nil, false) end
end
return remember('cancelled')
