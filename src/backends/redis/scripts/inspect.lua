-- Reports who holds a lock or a semaphore, for how long, and how many wait for it.
-- KEYS: lock queue sharing
-- ARGV: none
-- Replies: 0 if it is free and no semaphore; [value, remaining ms or -1 if it never expires, waiters, now in µs] if it is
--   held exclusively; otherwise [limit, created (both -1 if it is no semaphore), waiters], followed, if there are
--   holders, by a ticket and `<remaining µs> <first fence> <last fence> <weight>` for each, and by now in µs
-- Promises: L1 L11 L12 L13
local lock, queue, sharing = KEYS[1], KEYS[2], KEYS[3]
-- @include bounds
-- @include stamp
-- @include shares
local held, S, now = redis.call('GET', lock), with_shares(), clock()
local function count_waiters()
  -- Tickets beyond this score are passed over; a new holder is one of them until its first command (lib/queue.lua).
  return redis.call('ZCOUNT', queue, '-inf', '(' .. string.format('%.0f', BEYOND))
end
if not held or is_marker(held) then S.load(held, '') end
if held and not (shares and shares.is_held) then
  return { held, redis.call('PTTL', lock), count_waiters(), now }
end
if not held and not shares.limit then return 0 end
local reply = { shares.limit or -1, shares.created or -1, count_waiters() }
if held then
  S.each(function(ticket, expires, first, last, weight)
    if not expires or expires <= now then return end
    reply[#reply + 1] = ticket
    reply[#reply + 1] = S.text_of(expires - now, first, last, weight)
  end)
  reply[#reply + 1] = now
end
return reply
