-- Changes the state and gives the lock back, in one step; or keeps it when that is asked for and nobody waits.
-- A save that fails for want of memory does not stop the release, whose answer says so.
-- KEYS: lock queue asks stamp done state
-- ARGV: ticket slot n keep refresh proofSlot proofN seen kind serializer ttl ifRevision bytes leaseMs fences
--   slot … proofN: as in release.lua; kind: save, delete or none; leaseMs, fences: to keep the lock, or empty
-- Replies: 'released <revision or ->', 'released - OUT_OF_MEMORY', 'kept <revision or -> <first fence> <fences>',
--   'lost', 'conflict <revision or absent>', 'unreadable <what it is>' (all three: nothing was done), 'forgotten'
-- Promises: S2 S3 S4 S5 S6 S7 L2 L3 L6 L8 L9
local lock, queue, asks, stamp, done, state = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local ticket, slot, n, keep, refresh, proof_slot, proof_n = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local seen, kind, serializer, ttl, if_revision, bytes = tonumber(ARGV[8]), ARGV[9], ARGV[10], ARGV[11], ARGV[12], ARGV[13]
local lease, fences = ARGV[14], tonumber(ARGV[15])
-- @include receipt
-- @include stamp
-- @include holder
-- @include queue
-- @include head
-- @include change
local known = recall()
if known then return known end
if not is_held_by(redis.call('GET', lock), ticket) then return refuse('lost') end
-- Types are checked before the first write: HLEN for the hash that the walk will read.
local waited_for = redis.call('ZCARD', queue) > 0
if waited_for then redis.call('HLEN', asks) end
local now = clock()
local revision, failed = '-', ''
if kind ~= 'none' then
  local at, written_by, unreadable = read_head()
  local refused = refusal(at, written_by, unreadable)
  if refused then return refuse(refused) end
  local written, failure = change(now, at)
  if not written and not string.find(failure.err, 'OOM', 1, true) then return failure end
  if written then revision = written else failed = ' OUT_OF_MEMORY' end
end

-- @include hand-over
local winner
if waited_for then
  leave(ticket)
  redis.call('DEL', lock)
  winner = hand_over(now, nil)
end
if not winner and lease ~= '' and failed == '' then
  local first = reserve(now, seen, fences)
  if first then
    redis.call('SET', lock, value_of(ticket, first, fences), 'PX', lease)
    return remember('kept ' .. revision .. ' ' .. text(first) .. ' ' .. fences)
  end
end
if not winner then redis.call('DEL', lock) end
return remember('released ' .. revision .. failed)
