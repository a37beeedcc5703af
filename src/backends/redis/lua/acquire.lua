-- Takes a lock, or joins its queue, or says who holds it. The holder that asks again gets the same answer and its full
-- lease; a waiter that asks again keeps its place. Where the lock is free and others wait, the first that lives gets it.
-- KEYS: lock queue asks stamp done state
-- ARGV: ticket slot n seen leaseMs fences wish
--   slot, n: of the receipt that this ticket's release or cancel will carry; seen: the highest stamp that the client saw
--   wish: letters of: q join the queue, s send the state along, p wakes are listened for; or -
-- Replies: fence (an integer: granted as asked, nobody waits, no state asked for)
--   [fence, bytes or null, type] (the same with the state; type only when it is no string)
--   ['granted', fence, fences, leaseMs, waiting, bytes or null, type]
--   ['waiting' or 'held', who holds it, remaining lease in ms or -1, how many are ahead]
--   'settled': this ticket was released or cancelled: a late copy [S5]
-- Promises: S1 S5 L1 L2 L3 L5 L8 L9 L10 L11
local lock, queue, asks, stamp, done, state = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local ticket, slot, n, lease, fences, wish = ARGV[1], ARGV[2], ARGV[3], ARGV[5], tonumber(ARGV[6]), ARGV[7]
local seen = tonumber(ARGV[4])
-- @include stamp
local record = redis.call('HGET', done, slot)
local recorded = record and tonumber(string.match(record, '^%d+')) or -1
if recorded > tonumber(n) then return 'settled' end
if recorded == tonumber(n) then
  -- A refusal that was recorded for a retry ended nothing.
  local word = string.match(record, '^%d+ (%a+)')
  if word == 'released' or word == 'kept' or word == 'cancelled' then return 'settled' end
end
local function load()
  local value = redis.pcall('GET', state)
  if type(value) == 'table' then return false, redis.call('TYPE', state).ok end
  return value, nil
end
local wants_state = string.find(wish, 's', 1, true)

-- The lock is free and nobody waits: the common case, with nothing in it that it does not need.
local now = clock()
local first
if redis.call('ZCARD', queue) == 0 then
  local last
  first, last = reserve(now, seen, fences)
  if not first then return last end
  local value = ticket .. ' ' .. last
  if fences > 1 then value = ticket .. ' ' .. text(first) .. ' ' .. last end
  if redis.call('SET', lock, value, 'NX', 'PX', lease) then
    if not wants_state then return first end
    return { first, load() }
  end
end

-- @include holder
-- @include queue
-- @include hand-over
local function granted(at, count, lease_ms)
  local reply = { 'granted', at, count, lease_ms, count_waiters() }
  if wants_state then reply[6], reply[7] = load() end
  return reply
end
local held = redis.call('GET', lock)
if is_held_by(held, ticket) then
  local _, _, mine, last = parse_holder(held)
  leave(ticket)
  redis.call('PEXPIRE', lock, lease)
  return granted(mine, last - mine + 1, tonumber(lease))
end

-- Notes the ask. A ticket that stands in the queue keeps its place, whether or not it wants to join.
local score = redis.call('ZSCORE', queue, ticket)
local old = redis.call('HGET', asks, ticket)
local joins = score or string.find(wish, 'q', 1, true)
local newly = joins and not (score and tonumber(score) < BEYOND)
if joins then
  local place = string.match(old or '', ' (%d+)$')
  if not place then
    if not first then
      local failure
      first, failure = reserve(now, seen, 1)
      if not first then return failure end
    end
    place = text(first)
  end
  redis.call('HSET', asks, ticket, text(now) .. ' ' .. lease .. ' ' .. wish .. ' ' .. fences .. ' ' .. place)
  redis.call('ZADD', queue, place, ticket)
  -- Whoever waits asks every few seconds; when nobody does any more, both go.
  redis.call('PEXPIRE', asks, 30000)
  redis.call('PEXPIRE', queue, 30000)
end
if newly then
  -- Each that joins clears up to two that were parked and never asked again.
  local gone = redis.call('ZRANGEBYSCORE', queue, text(BEYOND), text(BEYOND + now - ASK_LIMIT), 'LIMIT', 0, 2)
  for _, dead in ipairs(gone) do leave(dead) end
end

if held then
  local holder, client = parse_holder(held)
  if newly and holder then wake(client, 'wanted ' .. holder .. ' ' .. id) end
else
  -- Free with a queue: the holder died.
  local winner, at, count, lease_ms = hand_over(now, ticket)
  if winner == ticket then return granted(at, count, lease_ms) end
  if winner then
    held = value_of(winner, at, count)
  elseif type(at) == 'table' then
    return at
  elseif not first_waiter() then
    local fence, failure = reserve(now, seen, fences)
    if not fence then return failure end
    redis.call('SET', lock, value_of(ticket, fence, fences), 'PX', lease)
    return granted(fence, fences, tonumber(lease))
  else
    -- More dead waiters than one walk may meet: the next ask goes on, at once.
    return { joins and 'waiting' or 'held', first_waiter() .. ' 0', 1, 0 }
  end
end
if joins then return { 'waiting', held, redis.call('PTTL', lock), redis.call('ZRANK', queue, ticket) } end
return { 'held', held, redis.call('PTTL', lock), count_waiters() }
