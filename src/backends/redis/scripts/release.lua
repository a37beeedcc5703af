-- Gives locks back: each to the first waiter that lives, or to nobody. With a change of the state or `keep`: commit.lua.
-- One script serves all releases that a client makes at once, of different ids; each has its own reply, or error.
-- KEYS: stamp done
-- ARGV: operations prefix seen keep refresh
-- Each operation: id number slot n proof terms; no terms
--   operations: as lib/operations.lua says; terms: always 0, since there are none
--   keep: how long receipts live, in ms; refresh: '1' when that is due; proof: empty on the first try; on a retry
--   `<slot> <n>` of a receipt that must be there, or '-'
-- Replies: 'released' where that is true of all; else an array, with for each release one of
--   'released', 'lost', 'forgotten', or the recorded reply of the first try
-- Promises: S5 L2 L6 L8 L9
local stamp, done = KEYS[1], KEYS[2]
local prefix, seen, keep, refresh = ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local width = 6
local ticket, slot, n, proof
-- @include operations
-- @include keys
-- @include recorded
-- @include receipt

-- What all have in common is asked for once.
local locks, queues = {}, {}
for i = 1, count do
  local id = operations[first_at + width * (i - 1)]
  locks[i], queues[i] = lock_start .. id .. '}', queue_start .. id .. '}'
end
local holders = redis.call('MGET', unpack(locks))
local anybody_waits = redis.call('EXISTS', unpack(queues)) > 0

-- A lock is held by its ticket and nobody waits: the common case. Whoever still holds the lock has not released it, so
-- that only the others need to look for their receipt.
local replies, others, freed, receipts = {}, {}, {}, {}
for i = 1, count do
  local at = first_at + width * (i - 1)
  if is_ours(holders[i], operations[at + 1]) and not (anybody_waits and redis.pcall('ZCARD', queues[i]) ~= 0) then
    freed[#freed + 1] = locks[i]
    receipts[#receipts + 1] = operations[at + 2]
    receipts[#receipts + 1] = operations[at + 3] .. ' released'
    replies[i] = 'released'
  else
    others[#others + 1] = i
  end
end
if #freed > 0 then
  -- The first write needs no memory: a full server can release locks.
  redis.call('DEL', unpack(freed))
  write_down(receipts)
end
if #others == 0 then return 'released' end

-- @include isolated
-- @include bounds
-- @include stamp
-- @include holder
-- @include queue
-- @include hand-over
local now = clock()
local function release()
  local held = redis.call('GET', lock)
  if not is_held_by(held, ticket) then return recall(redis.call('HGET', done, slot)) or refuse('lost') end
  -- Types are checked before the first write.
  redis.call('ZCARD', queue)
  leave(ticket)
  redis.call('DEL', lock)
  hand_over(now, nil)
  return remember('released')
end
for _, i in ipairs(others) do
  local at = first_at + width * (i - 1)
  ticket, slot, n, proof = base .. operations[at + 1], operations[at + 2], operations[at + 3], operations[at + 4]
  aim_at_all(operations[at])
  replies[i] = alone(release)
end
return replies
