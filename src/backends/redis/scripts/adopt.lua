-- Moves a lock from the ticket that holds it to another one, with new fences. Queues nothing. The old holder gets a wake.
-- KEYS: lock queue asks stamp done state sharing
-- ARGV: ticket slot n leaseMs fences wish from fence seen
--   slot, n: of the receipt that this ticket's release or cancel will carry; wish: 's' send the state, or '-'
--   from, fence: the ticket that must hold the lock, exclusively, and one of its fences
-- Replies: as acquire.lua: ['granted', fence, fences, leaseMs, waiting, bytes or null, type], 'settled'; or 'lost': it is
--   not held by that ticket with that fence
-- Promises: S5 L1 L3 L5 L6
local lock, queue, asks, stamp, done, state = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local sharing = KEYS[7]
local ticket, slot, n, lease, fences, wish = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5]), ARGV[6]
local from, fence, seen = ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9])
-- @include recorded
-- @include settled
-- @include bounds
-- @include stamp
-- @include read-state
-- @include holder
-- @include queue
-- @include shares
-- @include hand-over
if is_settled(redis.call('HGET', done, slot), n) then return 'settled' end
local function granted(first, number)
  local reply = { 'granted', first, number, tonumber(lease), count_waiters() }
  if wish == 's' then reply[6], reply[7] = read_state() end
  return reply
end
local held = redis.call('GET', lock)
if is_held_by(held, ticket) then
  local _, _, first, last = parse_holder(held)
  redis.call('PEXPIRE', lock, lease)
  return granted(first, last - first + 1)
end
if not is_held_by(held, from) then return 'lost' end
local holder, client, first, last = parse_holder(held)
if not holder or fence < first or fence > last then return 'lost' end
-- Types are checked before the first write.
redis.call('ZCARD', queue)
if last > seen then seen = last end
local own, refused = reserve(clock(), seen, fences)
if not own then return refused end
redis.call('SET', lock, value_of(ticket, own, fences), 'PX', lease)
leave(from)
wake(client, 'forced ' .. from .. ' ' .. lock_id())
return granted(own, fences)
