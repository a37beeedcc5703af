-- Releases locks, and shares of locks. Each goes to its first live waiters, if there are any. To change the state or to
-- `keep` the lock: commit.lua.
-- One script serves all releases that a client makes at once, of different ids. Each has its own reply or error.
-- KEYS: stamp done
-- ARGV: operations prefix seen keep refresh
-- Each operation: id number slot n proof terms; no terms
--   operations: see lib/operations.lua; terms: always 0, since there are none
--   keep: how long receipts live, in ms; refresh: '1' if that must be renewed; proof: empty on the first attempt; on a
--   retry, `<slot> <n>` of a receipt that must be there, or '-'
-- Replies: 'released' if that is true of all; otherwise an array, with one of these for each release:
--   'released', 'lost', 'forgotten', or the recorded reply of the first attempt
-- Promises: S5 L2 L6 L8 L9 L12 L13
local stamp, done = KEYS[1], KEYS[2]
local prefix, seen, keep, refresh = ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local width = 6
-- @include alone
-- @include keys
-- @include write-down

-- The usual cases: a single release of a lock that is held by its ticket and has no queue, or of its last share. What is
-- stored about shares: lib/shares.lua.
local lock_value
if alone_at then
  local base, _, id, number, slot, n = unpack(ARGV, alone_at)
  local lock, holder = lock_start .. id .. '}', base .. number .. ' '
  lock_value = redis.pcall('GET', lock)
  if type(lock_value) ~= 'string' then lock_value = false end
  local is_held = lock_value and string.sub(lock_value, 1, #holder) == holder
  if is_held and redis.call('EXISTS', queue_start .. id .. '}') == 0 then
    -- The first write needs no memory, so a server without free memory can release locks.
    redis.call('DEL', lock)
    write_down(slot, n .. ' released')
    return 'released'
  end
  if lock_value and string.sub(lock_value, 1, 7) == 'shared ' then
    local sharing = prefix .. 'holders:{' .. id .. '}'
    local known = redis.pcall('HMGET', sharing, 'generation', 'used', 'until', 'limit', base .. number)
    local expires, weight = string.match(not known.err and known[5] or '', '^(%d+) %d+ %d+ (%d+)$')
    -- Of the last holder, and of the lease that ends last: the lock's key shows that it is not over.
    local is_last = expires and expires == known[3] and weight == known[2] and lock_value == 'shared ' .. (known[1] or '')
    if is_last and redis.call('EXISTS', queue_start .. id .. '}') == 0 then
      redis.call('DEL', lock)
      if known[4] then redis.call('HDEL', sharing, base .. number, 'generation') else redis.call('DEL', sharing) end
      write_down(slot, n .. ' released')
      return 'released'
    end
  end
end

-- The offsets of an operation's fields from its beginning.
local ID, NUMBER, SLOT, N, PROOF = 0, 1, 2, 3, 4
local ticket, slot, n, proof
-- @include operations
-- @include recorded
-- @include receipt

-- Commands for all operations are called once.
local locks, queues = {}, {}
for i = 1, count do
  local id = operations[first_at + width * (i - 1) + ID]
  locks[i], queues[i] = lock_start .. id .. '}', queue_start .. id .. '}'
end
local holders = alone_at and { lock_value } or redis.call('MGET', unpack(locks))
local anybody_waits = alone_at or redis.call('EXISTS', unpack(queues)) > 0

-- The common case: a lock is held by its ticket and no ticket waits. A ticket that still holds its lock has not
-- released it, so only the other operations need to look up their receipts.
local replies, remaining, freed, receipts = {}, {}, {}, {}
for i = 1, count do
  local at = first_at + width * (i - 1)
  if is_ours(holders[i], operations[at + NUMBER]) and not (anybody_waits and redis.pcall('ZCARD', queues[i]) ~= 0) then
    freed[#freed + 1] = locks[i]
    receipts[#receipts + 1] = operations[at + SLOT]
    receipts[#receipts + 1] = operations[at + N] .. ' released'
    replies[i] = 'released'
  else
    remaining[#remaining + 1] = i
  end
end
if #freed > 0 then
  redis.call('DEL', unpack(freed)) -- first, as above
  write_down(unpack(receipts))
end
if #remaining == 0 then return 'released' end

-- @include bounds
-- @include stamp
local now = clock()

local function take_operation(i)
  local at = first_at + width * (i - 1)
  ticket, slot, n, proof = base .. operations[at + NUMBER], operations[at + SLOT], operations[at + N], operations[at + PROOF]
  set_all_keys(operations[at + ID])
end
-- Shares, if there may be any.
local left, may_be_shares = {}, false
for _, i in ipairs(remaining) do
  may_be_shares = may_be_shares or holders[i] and string.sub(holders[i], 1, 7) == 'shared '
end
if may_be_shares then
  -- The usual case of a share: no ticket waits, and no lease may be over. Returns whether it can be released, and whether
  -- the lock's key is then to be deleted. `held`: the value of the lock's key.
  local function release_share_simply(held)
    if not held or string.sub(held, 1, 7) ~= 'shared ' then return false end
    local known = redis.pcall('HMGET', sharing, 'generation', 'used', 'first', 'limit', ticket, 'until')
    if known.err or not known[5] or string.sub(held, 8) ~= known[1] then return false end
    local used, expires, weight = known[2], string.match(known[5], '^(%d+) %d+ %d+ (%d+)$')
    if not used or not weight then return false end
    -- Of the last holder, as above.
    local is_last = weight == used and expires == known[6]
    if not is_last then
      used = tonumber(used)
      local first = tonumber(string.match(known[3] or '', '^%d+'))
      if not used or not first or first <= now or tonumber(expires) <= now then return false end
    end
    if anybody_waits and redis.pcall('EXISTS', queue) == 1 then return false end
    if not is_last and used > tonumber(weight) then
      redis.call('HDEL', sharing, ticket)
      redis.call('HSET', sharing, 'used', text(used - weight))
      return true, false
    end
    if known[4] then
      redis.call('HDEL', sharing, ticket, 'generation')
    else
      redis.call('DEL', sharing)
    end
    return true, true
  end
  freed, receipts = {}, {}
  for _, i in ipairs(remaining) do
    local at = first_at + width * (i - 1)
    local id = operations[at + ID]
    ticket, slot, n = base .. operations[at + NUMBER], operations[at + SLOT], operations[at + N]
    lock, queue, sharing = locks[i], queues[i], prefix .. 'holders:{' .. id .. '}'
    local is_released, is_free = release_share_simply(holders[i])
    if is_released then
      replies[i] = 'released'
      receipts[#receipts + 1] = slot
      receipts[#receipts + 1] = n .. ' released'
    else
      left[#left + 1] = i
    end
    if is_free then freed[#freed + 1] = lock end
  end
  if #freed > 0 then redis.call('DEL', unpack(freed)) end
  if #receipts > 0 then write_down(unpack(receipts)) end
  if #left == 0 then return 'released' end
else
  left = remaining
end

-- @include isolated
-- @include holder
-- @include queue
-- @include shares
-- @include hand-over
-- @include end-share
local function release()
  shares = nil
  local held = redis.call('GET', lock)
  if not is_held_by(held, ticket) then
    if not end_share(held, ticket, now) then return recall(redis.call('HGET', done, slot)) or refuse('lost') end
    serve_after_share(now)
    return remember('released')
  end
  -- Types are checked before the first write.
  redis.call('ZCARD', queue)
  leave(ticket)
  redis.call('DEL', lock)
  serve(now, nil, true)
  return remember('released')
end
for _, i in ipairs(left) do
  take_operation(i)
  replies[i] = isolated(release)
end
return replies
