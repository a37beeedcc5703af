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
-- @include read-state

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
-- @include settled

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
-- @include shares
-- @include hand-over
-- @include ask
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
