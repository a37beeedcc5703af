-- Gives locks back: each to the first waiter that lives, or to nobody. With a change of the state or `keep`: commit.lua.
-- One script serves all releases that a client makes at once, of different ids; each has its own reply, or error.
-- KEYS: stamp done, and for each release: lock queue asks state
-- ARGV: seen keep refresh, and for each release: ticket slot n proof
--   keep: how long receipts live, in ms; refresh: '1' when that is due; proof: empty on the first try; on a retry
--   `<slot> <n>` of a receipt that must be there, or '-'
-- Replies: an array, with for each release one of
--   'released', 'lost', 'forgotten', or the recorded reply of the first try
-- Promises: S5 L2 L6 L8 L9
local stamp, done = KEYS[1], KEYS[2]
local seen, keep, refresh = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local lock, queue, asks, state
local ticket, slot, n, proof
local function take(release)
  local k, a = 4 * release - 2, 4 * release - 1
  lock, queue, asks, state = KEYS[k + 1], KEYS[k + 2], KEYS[k + 3], KEYS[k + 4]
  ticket, slot, n, proof = ARGV[a + 1], ARGV[a + 2], ARGV[a + 3], ARGV[a + 4]
end
-- @include receipt

-- What all have in common is asked for once.
local count = (#KEYS - 2) / 4
local locks, queues = {}, {}
for i = 1, count do
  locks[i], queues[i] = KEYS[4 * i - 1], KEYS[4 * i]
end
local holders = redis.call('MGET', unpack(locks))
local anybody_waits = redis.call('EXISTS', unpack(queues)) > 0

-- A lock is held by its ticket and nobody waits: the common case. Whoever still holds the lock has not released it, so
-- that only the others need to look for their receipt.
local replies, others, freed, receipts = {}, {}, {}, {}
for i = 1, count do
  take(i)
  local held = holders[i]
  local is_holder = held and string.sub(held, 1, #ticket + 1) == ticket .. ' '
  if is_holder and not (anybody_waits and redis.pcall('ZCARD', queue) ~= 0) then
    freed[#freed + 1] = lock
    receipts[#receipts + 1] = slot
    receipts[#receipts + 1] = n .. ' released'
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
if #others == 0 then return replies end

-- @include alone
-- @include stamp
-- @include holder
-- @include queue
-- @include hand-over
local now = clock()
local function release()
  local held = redis.call('GET', lock)
  if not is_held_by(held, ticket) then return recall(redis.call('HGET', done, slot)) or refuse('lost') end
  redis.call('ZCARD', queue)
  leave(ticket)
  redis.call('DEL', lock)
  hand_over(now, nil)
  return remember('released')
end
for _, i in ipairs(others) do
  take(i)
  replies[i] = alone(release)
end
return replies
