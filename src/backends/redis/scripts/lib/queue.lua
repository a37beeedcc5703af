-- The queue of a lock: a sorted set of tickets by the stamp of their first ask, so that no waiter loses its place [L2].
-- Expects: queue, asks (keys), and the library bounds. `asks` has for each ticket: `<asked at> <leaseMs> <wish>
-- <fences> <place>`.
-- A ticket that is passed over (its hand-over is not confirmed, or its channel has no subscriber) is parked: it moves
-- to the end, with the score BEYOND + now, so that no walk visits it again. Its next ask brings it back to its place.
-- So each ask pays for at most one step of a later walk, however many waiters die [L9].
-- A ticket that has not asked for this long is dead: 12 s, in microseconds [L2].
local ASK_LIMIT = 12000000
local LIVE = '(' .. string.format('%.0f', BEYOND)
local function count_waiters()
  return redis.call('ZCOUNT', queue, '-inf', LIVE)
end
local function first_waiter()
  return redis.call('ZRANGEBYSCORE', queue, '-inf', LIVE, 'LIMIT', '0', '1')[1]
end
-- Needs no memory. HDEL comes first: if `asks` is not a hash, nothing is written.
local function leave(ticket)
  redis.call('HDEL', asks, ticket)
  redis.call('ZREM', queue, ticket)
end
local function park(ticket, now)
  redis.call('ZADD', queue, text(BEYOND + now), ticket)
end
-- Returns leaseMs, wish, fences, place; nil if it never asked, or if its ask is too old or invalid.
local function ask_of(ticket, now)
  local ask = redis.call('HGET', asks, ticket)
  local asked, lease, wish, fences, place = string.match(ask or '', '^(%d+) (%d+) (%S+) (%d+) (%d+)$')
  if not asked or now - tonumber(asked) > ASK_LIMIT then return nil end
  lease, fences = tonumber(lease), tonumber(fences)
  -- Holdfast never asks for that. Refused here, since a failure after the first write of a release would leave it half
  -- done.
  if lease < 1 or lease > 86400000 or fences < 1 or fences > 1024 then return nil end
  local weight = string.match(wish, '[rw](%d+)$')
  if weight and (tonumber(weight) < 1 or tonumber(weight) >= LAST) then return nil end
  return lease, wish, fences, place
end
