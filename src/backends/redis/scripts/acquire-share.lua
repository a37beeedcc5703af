-- Acquires shares: of a lock that many tickets hold together, or permits of a semaphore. Otherwise like acquire.lua, which
-- begins with what is usual for exclusive asks.
-- KEYS: stamp done
-- ARGV: operations prefix seen
-- Each operation: id number slot n terms; its terms: leaseMs fences wish limit
--   operations … n: see acquire.lua; wish: its letters, then `r1` (shared) or `w<weight>` (permits)
--   limit: empty for a shared lock; for permits, the number that the caller takes the limit to be, or '-'
-- Replies: an array, with one of these for each:
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
-- The offsets of an operation's fields from its beginning, and of its terms.
local ID, NUMBER, SLOT, N, TERMS = 0, 1, 2, 3, 4
local LEASE, FENCES, WISH, LIMIT = 0, 1, 2, 3
local ticket, lease, fences, wish, reserved_fence
-- @include alone
-- @include keys
-- @include operations
-- @include bounds
-- @include stamp
-- @include recorded
-- @include settled
-- @include read-state
-- @include isolated
-- @include holder
-- @include queue
-- @include shares
local now = clock()
-- @include hand-over
-- @include ask

-- Commands for all operations are called once.
local slots, needed = {}, 0
for i = 1, count do
  local at = first_at + width * (i - 1)
  slots[i] = operations[at + SLOT]
  needed = needed + operations[terms_at + operations[at + TERMS] + FENCES]
end
local records = redis.call('HMGET', done, unpack(slots))
local fence = reserve(now, seen, needed)
local replies = {}
for i = 1, count do
  local at = first_at + width * (i - 1)
  local terms = terms_at + operations[at + TERMS]
  ticket = base .. operations[at + NUMBER]
  lease, fences, wish = operations[terms + LEASE], tonumber(operations[terms + FENCES]), operations[terms + WISH]
  limit, reserved_fence = operations[terms + LIMIT], fence
  if records[i] and is_settled(records[i], tonumber(operations[at + N])) then
    replies[i] = 'settled'
  else
    set_all_keys(operations[at + ID])
    replies[i] = isolated(ask)
  end
  fence = fence and fence + fences
end
return replies
