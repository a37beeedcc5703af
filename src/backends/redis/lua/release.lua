-- Gives a lock back: to the first waiter that lives, or to nobody. With a change of the state or `keep`: commit.lua.
-- KEYS: lock queue asks stamp done state
-- ARGV: ticket slot n keep refresh proofSlot proofN seen
--   keep: how long receipts live, in ms; refresh: '1' when that is due; proofSlot, proofN: empty on the first
--   try; on a retry a receipt that must be there, or '-' and empty
-- Replies: 'released', 'lost', 'forgotten', or the recorded reply of the first try
-- Promises: S5 L2 L6 L8 L9
local lock, queue, asks, stamp, done, state = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local ticket, slot, n, keep, refresh, proof_slot, proof_n = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local seen = tonumber(ARGV[8])
-- @include receipt
-- Whoever still holds the lock has not released it, so that only the others need to look for their receipt.
local held = redis.call('GET', lock)
if not held or string.sub(held, 1, #ticket + 1) ~= ticket .. ' ' then return recall() or refuse('lost') end
-- The first write needs no memory: a full server can release locks.
if redis.call('ZCARD', queue) == 0 then
  redis.call('DEL', lock)
  return remember('released')
end
-- @include stamp
-- @include holder
-- @include queue
-- @include hand-over
leave(ticket)
redis.call('DEL', lock)
hand_over(clock(), nil)
return remember('released')
