-- Takes locks: each is taken, or its queue joined, or it is said who holds it. The holder that asks again gets the same
-- answer and its full lease; a waiter that asks again keeps its place. Where a lock is free and others wait, the first
-- that lives gets it. One script serves all asks that a client makes at once; each has its own reply, or its own error.
-- KEYS: stamp done
-- ARGV: operations prefix seen
-- Each operation: id number slot n terms; its terms: leaseMs fences wish
--   operations: as lib/operations.lua says; seen: the highest stamp that the client saw; slot, n: of the receipt that
--   this ticket's release or cancel will carry; n is a number here
--   wish: letters of: q join the queue, s send the state along, p wakes are listened for; or -. All operations are of one
--   client: the one that the base of their tickets names
-- Replies: where all are granted as asked and nobody waits, their fences one after the other, the first fence, or
--   ['granted', first fence, for each bytes or null] when any asked for a state; else an array, with for each ask one of
--   fence (an integer: granted as asked, nobody waits, no state asked for)
--   [fence, bytes or null, type] (the same with the state; type only when it is no string)
--   ['granted', fence, fences, leaseMs, waiting, bytes or null, type]
--   ['waiting' or 'held', who holds it, remaining lease in ms or -1, how many are ahead, and with 'waiting', where p was
--   wished, how many are subscribed to the client's channel on this server, -1 when that may not be asked; below 1 the
--   ask was noted without p]
--   'settled': this ticket was released or cancelled: a late copy [S5]
-- Promises: S1 S5 L1 L2 L3 L5 L8 L9 L10 L11
local stamp, done = KEYS[1], KEYS[2]
local prefix, seen = ARGV[2], tonumber(ARGV[3])
local width = 5
-- @include operations
-- @include keys
-- @include bounds
-- @include stamp
-- @include recorded
local function is_settled(record, n)
  local recorded = number_of(record)
  if recorded ~= n then return recorded > n end
  return is_end(string.match(record, '^%d+ (.*)') or '')
end
local function load()
  local value = redis.pcall('GET', state)
  if type(value) == 'table' then return false, redis.call('TYPE', state).ok end
  return value, nil
end

-- What all have in common is asked for once.
local slots, queues, needed = {}, {}, 0
for i = 1, count do
  local at = first_at + width * (i - 1)
  queues[i], slots[i] = queue_start .. operations[at] .. '}', operations[at + 2]
  needed = needed + operations[terms_at + operations[at + 4] + 1]
end
local records = redis.call('HMGET', done, unpack(slots))
local anybody_waits = redis.call('EXISTS', unpack(queues)) > 0
local now = clock()
local first_fence = reserve(now, seen, needed)
local fence = first_fence

-- A lock is free and nobody waits: the common case, with nothing in it that it does not need.
local replies, others, spare, all = {}, {}, {}, { 'granted', first_fence }
local has_states, is_plain = false, true
for i = 1, count do
  local at = first_at + width * (i - 1)
  local id, terms = operations[at], terms_at + operations[at + 4]
  local fences = operations[terms + 1]
  if records[i] and is_settled(records[i], operations[at + 3]) then
    replies[i], is_plain = 'settled', false
  elseif not fence or anybody_waits and redis.pcall('ZCARD', queues[i]) ~= 0 then
    others[#others + 1], spare[i] = i, fence
  else
    local value = base .. operations[at + 1] .. ' ' .. text(fence)
    if fences > 1 then value = value .. ' ' .. text(fence + fences - 1) end
    if not redis.call('SET', lock_start .. id .. '}', value, 'NX', 'PX', operations[terms]) then
      others[#others + 1], spare[i] = i, fence
    elseif string.find(operations[terms + 2], 's', 1, true) then
      aim_at_state(id)
      local bytes, odd = load()
      replies[i], all[i + 2], has_states = { fence, bytes, odd }, bytes, true
      is_plain = is_plain and not odd
    else
      replies[i], all[i + 2] = fence, false
    end
  end
  fence = fence and fence + fences
end
if #others == 0 then
  if not is_plain then return replies end
  return has_states and all or first_fence
end

local ticket, lease, fences, wish, reserved_fence
-- @include isolated
-- @include holder
-- @include queue
-- @include hand-over
local function granted(first, reserved, lease_ms)
  local reply = { 'granted', first, reserved, lease_ms, count_waiters() }
  if string.find(wish, 's', 1, true) then reply[6], reply[7] = load() end
  return reply
end
-- How many are subscribed to the channel of the client that asks; -1 when that may not be asked.
local listeners
local function count_listeners()
  listeners = listeners or subscribers_of(string.match(base, ':(%x+):$') or '') or -1
  return listeners
end
-- Notes the ask. A ticket that stands in the queue keeps its place, whether or not it wants to join. Answers whether it
-- is new there, or was passed over; or nil and Redis's error.
local function note_ask(score)
  local place = string.match(redis.call('HGET', asks, ticket) or '', ' (%d+)$')
  if not place or tonumber(place) >= LAST then
    local stamped, refused = reserved_fence, nil
    if not stamped then stamped, refused = reserve(now, seen, 1) end
    if not stamped then return nil, refused end
    place = text(stamped)
  end
  redis.call('HSET', asks, ticket, text(now) .. ' ' .. lease .. ' ' .. wish .. ' ' .. fences .. ' ' .. place)
  redis.call('ZADD', queue, place, ticket)
  -- Whoever waits asks every few seconds; when nobody does any more, both go.
  redis.call('PEXPIRE', asks, '30000')
  redis.call('PEXPIRE', queue, '30000')
  return not (score and tonumber(score) < BEYOND)
end
local function ask()
  local held = redis.call('GET', lock)
  if is_held_by(held, ticket) then
    local _, _, mine, last = parse_holder(held)
    leave(ticket)
    redis.call('PEXPIRE', lock, lease)
    return granted(mine, last - mine + 1, tonumber(lease))
  end
  local score = redis.call('ZSCORE', queue, ticket)
  local joins, newly = score or string.find(wish, 'q', 1, true), false
  local heard_by
  if joins then
    if string.find(wish, 'p', 1, true) then heard_by = count_listeners() end
    -- Its client asks often from now on: it lives though nobody is subscribed for it.
    if heard_by and heard_by < 1 then wish = 'q' .. string.gsub(wish, '[pq]', '') end
    local refused
    newly, refused = note_ask(score)
    if refused then return refused end
  end
  if newly then
    -- Each that joins clears up to two that were parked and never asked again.
    local gone = redis.call('ZRANGEBYSCORE', queue, text(BEYOND), text(BEYOND + now - ASK_LIMIT), 'LIMIT', '0', '2')
    for _, dead in ipairs(gone) do leave(dead) end
  end
  local ahead
  if held then
    if joins then ahead = redis.call('ZRANK', queue, ticket) end
    -- With others before this one, the holder was told when the first of them came, or when it was granted.
    local holder, client
    if newly and ahead == 0 then holder, client = parse_holder(held) end
    if holder then wake(client, 'wanted ' .. holder .. ' ' .. lock_id()) end
  else
    -- Free with a queue: the holder died.
    local winner, first, reserved, lease_ms = hand_over(now, ticket)
    if winner == ticket then return granted(first, reserved, lease_ms) end
    if winner then
      held = value_of(winner, first, reserved)
    elseif type(first) == 'table' then
      return first
    elseif not first_waiter() then
      local refused
      first, refused = reserve(now, seen, fences)
      if not first then return refused end
      redis.call('SET', lock, value_of(ticket, first, fences), 'PX', lease)
      return granted(first, fences, tonumber(lease))
    else
      -- More dead waiters than one walk may meet: the next ask goes on, at once.
      return { joins and 'waiting' or 'held', first_waiter() .. ' 0', 1, 0, heard_by }
    end
  end
  if joins then
    return { 'waiting', held, redis.call('PTTL', lock), ahead or redis.call('ZRANK', queue, ticket), heard_by }
  end
  return { 'held', held, redis.call('PTTL', lock), count_waiters() }
end
for _, i in ipairs(others) do
  local at = first_at + width * (i - 1)
  local terms = terms_at + operations[at + 4]
  ticket = base .. operations[at + 1]
  lease, fences, wish = operations[terms], operations[terms + 1], operations[terms + 2]
  reserved_fence = spare[i]
  aim_at_all(operations[at])
  replies[i] = alone(ask)
end
return replies
