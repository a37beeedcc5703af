-- Acquires locks: takes each lock, joins its queue, or reports its holder. A holder that asks again gets the same reply
-- and its full lease; a waiter that asks again keeps its place. If a lock is free and others wait, the first live
-- waiter gets it. One script serves all asks that a client makes at once. Each has its own reply or error.
-- KEYS: stamp done
-- ARGV: operations prefix seen
-- Each operation: id number slot n terms; its terms: leaseMs fences wish
--   operations: see lib/operations.lua; seen: the highest stamp that the client has seen; slot, n: of the receipt that
--   this ticket's release or cancel will carry
--   wish: letters, or '-': q join the queue, s send the state, p the client listens for wakes. All operations belong to
--   one client: the one that the base of their tickets names
-- Replies: if all are granted as requested and no ticket waits, their fences are consecutive: the first fence, or
-- ['granted', first fence, bytes or null for each] if any asked for a state; otherwise an array, with one of these for
-- each:
--   fence (an integer: granted as requested, no ticket waits, no state requested)
--   [fence, bytes or null, type] (the same with the state; type only if it is not a string)
--   ['granted', fence, fences, leaseMs, waiting, bytes or null, type]
--   ['waiting' or 'busy', the holder, its remaining lease in ms or -1, the number of tickets ahead, and with 'waiting',
--   if the wish has p, the number of subscribers to the client's channel on this server, or -1 if it is not permitted
--   to ask; below 1, the ask was recorded without p]
--   'settled': this ticket was released or cancelled, and the ask is a late copy [S5]
-- Promises: S1 S5 L1 L2 L3 L5 L8 L9 L10 L11
local stamp, done = KEYS[1], KEYS[2]
local prefix, seen = ARGV[2], tonumber(ARGV[3])
local width = 5
-- @include alone
-- @include keys
-- @include bounds
-- @include stamp
-- @include recorded

local function read_state()
  local value = redis.pcall('GET', state)
  if type(value) == 'table' then return false, redis.call('TYPE', state).ok end
  return value, nil
end

-- The usual case: a single ask for a lock that is free and has no queue.
local record, now = nil, clock()
if alone_at then
  local base, _, id, number, slot, n, _, lease, fences, wish = unpack(ARGV, alone_at)
  local lock = lock_start .. id .. '}'
  record = redis.call('HGET', done, slot)
  if number_of(record) < tonumber(n) and redis.call('EXISTS', lock, queue_start .. id .. '}') == 0 then
    local fence = reserve(now, seen, fences)
    if fence then
      local value = base .. number .. ' ' .. text(fence)
      if fences ~= '1' then value = value .. ' ' .. text(fence + fences - 1) end
      redis.call('SET', lock, value, 'PX', lease)
      if not string.find(wish, 's', 1, true) then return fence end
      set_state_key(id)
      local bytes, wrong_type = read_state()
      if wrong_type then return { { fence, bytes, wrong_type } } end
      return { 'granted', fence, bytes }
    end
  end
end

-- The offsets of an operation's fields from its beginning, and of its terms.
local ID, NUMBER, SLOT, N, TERMS = 0, 1, 2, 3, 4
local LEASE, FENCES, WISH = 0, 1, 2
-- @include operations
local function is_settled(record, n)
  local recorded = number_of(record)
  if recorded ~= n then return recorded > n end
  return is_end(string.match(record, '^%d+ (.*)') or '')
end

-- Commands for all operations are called once.
local slots, queues, needed = {}, {}, 0
for i = 1, count do
  local at = first_at + width * (i - 1)
  queues[i], slots[i] = queue_start .. operations[at + ID] .. '}', operations[at + SLOT]
  needed = needed + operations[terms_at + operations[at + TERMS] + FENCES]
end
local records = alone_at and { record } or redis.call('HMGET', done, unpack(slots))
local anybody_waits = not alone_at and redis.call('EXISTS', unpack(queues)) > 0
local first_fence = reserve(now, seen, needed)
local fence = first_fence

-- The common case of several, with as few commands as possible: a lock is free and no ticket waits. The indexes of all
-- other operations go to `remaining`, and the fence reserved for each of them to `reserved`.
local replies, remaining, reserved = {}, {}, {}
-- One reply for all operations, as long as each is granted as requested; the states follow the first fence.
local one_for_all, as_asked, has_states = { 'granted', first_fence }, true, false
local BEFORE_STATES = 2
for i = 1, count do
  local at = first_at + width * (i - 1)
  local id, terms = operations[at + ID], terms_at + operations[at + TERMS]
  local fences = tonumber(operations[terms + FENCES])
  if records[i] and is_settled(records[i], tonumber(operations[at + N])) then
    replies[i], as_asked = 'settled', false
  elseif alone_at or not fence or anybody_waits and redis.pcall('ZCARD', queues[i]) ~= 0 then
    remaining[#remaining + 1], reserved[i] = i, fence
  else
    local value = base .. operations[at + NUMBER] .. ' ' .. text(fence)
    if fences > 1 then value = value .. ' ' .. text(fence + fences - 1) end
    if not redis.call('SET', lock_start .. id .. '}', value, 'NX', 'PX', operations[terms + LEASE]) then
      remaining[#remaining + 1], reserved[i] = i, fence
    elseif string.find(operations[terms + WISH], 's', 1, true) then
      set_state_key(id)
      local bytes, wrong_type = read_state()
      replies[i], one_for_all[BEFORE_STATES + i], has_states = { fence, bytes, wrong_type }, bytes, true
      as_asked = as_asked and not wrong_type
    else
      replies[i], one_for_all[BEFORE_STATES + i] = fence, false
    end
  end
  fence = fence and fence + fences
end
if #remaining == 0 then
  if not as_asked then return replies end
  return has_states and one_for_all or first_fence
end

local ticket, lease, fences, wish, reserved_fence
-- @include isolated
-- @include holder
-- @include queue
-- @include hand-over
local function granted(first, number, lease_ms)
  local reply = { 'granted', first, number, lease_ms, count_waiters() }
  if string.find(wish, 's', 1, true) then reply[6], reply[7] = read_state() end
  return reply
end
-- The number of subscribers to the channel of the client that asks; -1 if it is not permitted to ask.
local known_subscribers
local function count_subscribers()
  known_subscribers = known_subscribers or (subscribers_of(string.match(base, ':(%x+):$') or '')) or -1
  return known_subscribers
end
-- Records the ask. A ticket in the queue keeps its place, whether or not it asks to join. Returns whether it is new
-- there, or was passed over; or nil and Redis's error.
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
  -- Waiters ask every few seconds; without any, both keys expire.
  redis.call('PEXPIRE', asks, '30000')
  redis.call('PEXPIRE', queue, '30000')
  return not (score and tonumber(score) < BEYOND)
end
local function ask()
  local held = redis.call('GET', lock)
  if is_held_by(held, ticket) then
    local _, _, first, last = parse_holder(held)
    leave(ticket)
    redis.call('PEXPIRE', lock, lease)
    return granted(first, last - first + 1, tonumber(lease))
  end
  local score = redis.call('ZSCORE', queue, ticket)
  local joins, is_new = score or string.find(wish, 'q', 1, true), false
  local subscribers
  if joins then
    if string.find(wish, 'p', 1, true) then subscribers = count_subscribers() end
    -- Its client asks often from now on, which shows that it is alive although its channel has no subscriber.
    if subscribers and subscribers < 1 then wish = 'q' .. string.gsub(wish, '[pq]', '') end
    local refused
    is_new, refused = note_ask(score)
    if refused then return refused end
  end
  if is_new then
    -- Each new waiter removes up to two that were parked and never asked again.
    local long_parked = redis.call('ZRANGEBYSCORE', queue, text(BEYOND), text(BEYOND + now - ASK_LIMIT), 'LIMIT', '0', '2')
    for _, dead in ipairs(long_parked) do leave(dead) end
  end
  local ahead
  if held then
    if joins then ahead = redis.call('ZRANK', queue, ticket) end
    -- With others before this one, the holder was notified when the first of them came, or with its grant.
    local holder, client
    if is_new and ahead == 0 then holder, client = parse_holder(held) end
    if holder then wake(client, 'wanted ' .. holder .. ' ' .. lock_id()) end
  else
    -- Free with a queue: the holder died.
    local winner, first, number, lease_ms = hand_over(now, ticket)
    if winner == ticket then return granted(first, number, lease_ms) end
    if winner then
      held = value_of(winner, first, number)
    elseif type(first) == 'table' then
      return first
    elseif not first_waiter() then
      local refused
      first, refused = reserve(now, seen, fences)
      if not first then return refused end
      redis.call('SET', lock, value_of(ticket, first, fences), 'PX', lease)
      return granted(first, fences, tonumber(lease))
    else
      -- There are more dead waiters than one walk may visit: the next ask continues, at once.
      return { joins and 'waiting' or 'busy', first_waiter() .. ' 0', 1, 0, subscribers }
    end
  end
  if joins then
    return { 'waiting', held, redis.call('PTTL', lock), ahead or redis.call('ZRANK', queue, ticket), subscribers }
  end
  return { 'busy', held, redis.call('PTTL', lock), count_waiters() }
end
for _, i in ipairs(remaining) do
  local at = first_at + width * (i - 1)
  local terms = terms_at + operations[at + TERMS]
  ticket = base .. operations[at + NUMBER]
  lease, fences, wish = operations[terms + LEASE], tonumber(operations[terms + FENCES]), operations[terms + WISH]
  reserved_fence = reserved[i]
  set_all_keys(operations[at + ID])
  replies[i] = isolated(ask)
end
return replies
