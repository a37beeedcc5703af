-- Ends the grant of another holder: exactly this ticket's, or a foreign token's. The next waiter gets the lock, and the
-- old holder a wake. Of several holders, the others stay.
-- KEYS: lock queue asks stamp done state sharing
-- ARGV: ticket slot n proof keep refresh seen ifFence
--   slot … refresh: see release.lua, of the client that forces the release; ifFence: one of the holder's fences, or
--   empty for any
-- Replies: 'released', 'lost', 'forgotten', or the recorded reply of the first attempt
-- Promises: S4 S5 L2 L6 L8 L11 L12 L13
local lock, queue, asks, stamp, done, state = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local sharing = KEYS[7]
local ticket, slot, n, proof, keep, refresh = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local seen, if_fence = tonumber(ARGV[7]), tonumber(ARGV[8])
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
if known then return known end
local held, now = redis.call('GET', lock), clock()
local function is_fence(first, last)
  return not if_fence or if_fence >= first and if_fence <= last
end
local function notify(holder)
  wake(select(2, parse_holder(holder .. ' 0')) or '', 'forced ' .. holder .. ' ' .. lock_id())
end
if end_share(held, ticket, now, is_fence) then
  notify(ticket)
  serve_after_share(now)
  return remember('released')
end
local is_token = held == ticket and not (shares and shares.is_held)
if not is_token and not is_held_by(held, ticket) then return refuse('lost') end
local holder, _, first, last = parse_holder(held)
if if_fence and not (holder and is_fence(first, last)) then return refuse('lost') end
redis.call('ZCARD', queue)
leave(ticket)
redis.call('DEL', lock)
if holder then notify(holder) end
serve(now, nil, true)
return remember('released')
