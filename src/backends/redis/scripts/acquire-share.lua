-- Acquires shares: of a lock that many tickets hold together, or permits of a semaphore. Otherwise like acquire.lua, which
-- begins with what is usual for exclusive asks.
-- KEYS: stamp done
-- ARGV: operations prefix seen
-- Each operation: id number slot n terms; its terms: leaseMs fences wish limit
--   operations … n: see acquire.lua; wish: its letters, then `r1` (shared) or `w<weight>` (permits)
--   limit: empty for a shared lock; for permits, the number that the caller takes the limit to be, or '-'
-- Replies: if all are granted as requested, no ticket waits and none asked for a state, their fences are consecutive: the
-- first fence; otherwise an array, with one of these for each:
--   fence (an integer: granted as requested, no ticket waits, no state requested)
--   [fence, bytes or null, type] (the same with the state; type only if it is not a string)
--   ['granted', fence, fences, leaseMs, waiting, bytes or null, type]
--   ['waiting' or 'busy', the holder, its remaining lease in ms or -1, the number of tickets ahead, the number of
--   subscribers as in acquire.lua or -1, the number of holders if they have shares]. Of several, the holder is the one
--   whose lease ends first
--   ['mismatch', limit, created]: the ask does not suit the semaphore; -1, -1 if there is none
--   'settled': this ticket was released or cancelled, and the ask is a late copy [S5]
-- Promises: S1 S5 L2 L3 L8 L9 L10 L11 L12 L13
local stamp, done = KEYS[1], KEYS[2]
local prefix, seen = ARGV[2], tonumber(ARGV[3])
local width = 5
local ticket, lease, fences, wish, reserved_fence
-- @include alone
-- @include keys
-- @include bounds
-- @include stamp
-- @include recorded

-- What several asks have in common is made once: kind and weight by the wish, and how long a semaphore is kept.
local kind, weight, kind_of, kept, kept_for
-- The usual case, with as few commands as possible: there is room, no ticket waits, no lease may be over, and this one ends
-- last. Returns the first fence, or nil if that is not so. What is stored: lib/shares.lua; those of a semaphore that is not
-- there are made like this, too. `held`: the value of the lock's key, or false; `fence`: reserved for the ask, if it is.
local function grant_simply(now, held, asked_limit, fence)
  local known, used
  local expires = now + lease * 1000
  if held then
    known = redis.pcall('HMGET', sharing, 'generation', 'limit', 'created', 'used', 'first', 'until', ticket)
    if known.err or known[7] then return nil end
    local first, ends = tonumber(string.match(known[5] or '', '^%d+')), tonumber(known[6])
    used = tonumber(known[4])
    if not known[1] or held ~= 'shared ' .. known[1] or not used or not first or not ends then return nil end
    if first <= now or expires <= ends then return nil end
  else
    known = redis.pcall('HMGET', sharing, 'generation', 'limit', 'created')
    if known.err or known[1] then return nil end
  end
  if wish ~= kind_of then
    kind, weight = string.match(wish, '([rw])(%d+)$')
    kind_of = wish
  end
  local limit = known[2]
  local is_new = kind == 'w' and not limit
  if is_new then
    if held then return nil end
    limit = asked_limit
  end
  if kind == 'w' then
    if asked_limit ~= limit and asked_limit ~= known[3] and asked_limit ~= '-' then return nil end
    local most = tonumber(limit)
    if not most or (used or 0) + weight > most then return nil end
  end
  fence = fence or reserve(now, seen, fences)
  if not fence then return nil end
  if lease ~= kept_for then kept_for, kept = lease, text(lease + SEMAPHORE_KEEP_MS) end
  local first_text, until_text = text(fence), text(expires)
  local last_text = tonumber(fences) == 1 and first_text or text(fence + fences - 1)
  local share = until_text .. ' ' .. first_text .. ' ' .. last_text .. ' ' .. weight
  if held then
    redis.call('PEXPIRE', lock, lease)
    redis.call('HSET', sharing, ticket, share, 'used', text(used + weight), 'until', until_text)
  else
    local first = until_text .. ' ' .. ticket
    if not redis.call('SET', lock, 'shared ' .. first_text, 'NX', 'PX', lease) then return nil end
    if is_new then
      redis.call('HSET', sharing, ticket, share, 'used', weight, 'until', until_text, 'generation', first_text, 'first', first, 'limit', limit, 'created', limit)
    else
      redis.call('HSET', sharing, ticket, share, 'used', weight, 'until', until_text, 'generation', first_text, 'first', first)
    end
  end
  redis.call('PEXPIRE', sharing, limit and kept or lease)
  return fence
end

-- A single ask.
local record, now = nil, clock()
if alone_at then
  local base, id, number, slot, n, limit, _
  base, _, id, number, slot, n, _, lease, fences, wish, limit = unpack(ARGV, alone_at)
  record = redis.call('HGET', done, slot)
  if number_of(record) < tonumber(n) and not string.find(wish, 's', 1, true) then
    lock, queue, sharing = lock_start .. id .. '}', queue_start .. id .. '}', prefix .. 'holders:{' .. id .. '}'
    local there = redis.call('EXISTS', lock, queue)
    local held = there == 1 and redis.pcall('GET', lock)
    -- If one of the two is there, it must be the lock.
    if there == 0 or there == 1 and type(held) == 'string' then
      ticket = base .. number
      local fence = grant_simply(now, held, limit)
      if fence then return fence end
    end
  end
end

-- The offsets of an operation's fields from its beginning, and of its terms.
local ID, NUMBER, SLOT, N, TERMS = 0, 1, 2, 3, 4
local LEASE, FENCES, WISH, LIMIT = 0, 1, 2, 3
-- @include operations
-- @include settled
-- @include read-state

-- Commands for all operations are called once.
local slots, locks, queues, needed = {}, {}, {}, 0
for i = 1, count do
  local at = first_at + width * (i - 1)
  local id = operations[at + ID]
  locks[i], queues[i], slots[i] = lock_start .. id .. '}', queue_start .. id .. '}', operations[at + SLOT]
  needed = needed + operations[terms_at + operations[at + TERMS] + FENCES]
end
local records, anybody_waits, holders = { record }, true, {}
if not alone_at then
  records = redis.call('HMGET', done, unpack(slots))
  anybody_waits = redis.call('EXISTS', unpack(queues)) > 0
  holders = redis.call('MGET', unpack(locks))
end
local first_fence = reserve(now, seen, needed)
local next_fence = first_fence
-- The indexes of all operations that are not granted simply go to `remaining`, and the fence reserved for each of them to
-- `reserved`. One reply for all, the first fence, as long as each is granted as requested.
local replies, remaining, reserved, as_asked = {}, {}, {}, true
local function take_operation(i)
  local at = first_at + width * (i - 1)
  local terms = terms_at + operations[at + TERMS]
  ticket = base .. operations[at + NUMBER]
  lease, fences, wish = operations[terms + LEASE], operations[terms + FENCES], operations[terms + WISH]
  return operations[at + ID], operations[terms + LIMIT], operations[at + N]
end
for i = 1, count do
  local id, asked_limit, n = take_operation(i)
  lock, queue, sharing = locks[i], queues[i], prefix .. 'holders:{' .. id .. '}'
  if records[i] and is_settled(records[i], tonumber(n)) then
    replies[i], as_asked = 'settled', false
  elseif alone_at or not next_fence or anybody_waits and redis.pcall('EXISTS', queue) == 1 or not grant_simply(now, holders[i], asked_limit, next_fence) then
    remaining[#remaining + 1], reserved[i] = i, next_fence
  elseif string.find(wish, 's', 1, true) then
    set_state_key(id)
    replies[i], as_asked = { next_fence, read_state() }, false
  else
    replies[i] = next_fence
  end
  next_fence = next_fence and next_fence + fences
end
if #remaining == 0 then return as_asked and first_fence or replies end

-- @include isolated
-- @include holder
-- @include queue
-- @include shares
-- @include hand-over
-- @include ask
for _, i in ipairs(remaining) do
  local id, asked_limit = take_operation(i)
  limit, fences, reserved_fence = asked_limit, tonumber(fences), reserved[i]
  set_all_keys(id)
  replies[i] = isolated(ask)
end
return replies
