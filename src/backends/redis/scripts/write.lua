-- Saves, deletes or touches a state: with a ticket only while it holds the lock, without one only while the lock is free and
-- no ticket waits for it [S4] [S8].
-- KEYS: lock queue asks stamp done state sharing watch
-- ARGV: ticket slot n proof keep refresh seen kind serializer ttl ifRevision bytes staged
--   ticket: empty for none; slot … refresh: see release.lua; kind: save, delete or touch; staged: see
--   commit.lua
-- Replies: 'saved <revision>', 'deleted', 'deleted -' if there was nothing, 'busy', 'lost', 'conflict <revision or absent>', 'unreadable <what it is>'
--   (the last four: nothing was written), 'forgotten', or the recorded reply of the first attempt
-- Promises: S2 S3 S4 S5 S6 S7 S8 L12 E2
local lock, queue, asks, stamp, done, state = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local sharing, watch = KEYS[7], KEYS[8]
local ticket, slot, n, proof, keep, refresh = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local seen, kind, serializer, ttl, if_revision = tonumber(ARGV[7]), ARGV[8], ARGV[9], ARGV[10], ARGV[11]
local bytes, staged = ARGV[12], ARGV[13]
-- @include isolated
-- @include recorded
-- @include write-down
-- @include receipt
-- @include bounds
-- @include stamp
-- @include envelope
-- @include change
local now = clock()
-- Where there is a lock, a queue or a client that watches: what else to do. Each function takes time to make, so those for
-- this are only made here. Returns whether a write without a ticket must wait, and what follows the change.
local function unusual()
-- @include queue
-- @include somebody-waits
-- @include shares
-- @include is-held
-- @include watchers
  if ticket == '' and (is_held(now) or somebody_waits(now)) then return true end
  -- The first command after a hand-over confirms it, once nothing can refuse it any more.
  local confirms = ticket ~= '' and redis.call('HEXISTS', asks, ticket) == 1 and redis.call('ZSCORE', queue, ticket)
  return false, function()
    if confirms then leave(ticket) end
    tell_watchers(prefix_before_stamp(), redis.pcall('GET', watch))
  end
end
local function write()
  local known = recall(redis.call('HGET', done, slot))
  if known then return known end
  -- Usually none of these keys is there, which one command tells.
  local there
  if ticket == '' then
    there = redis.call('EXISTS', lock, queue, watch)
  else
    local held = redis.call('GET', lock)
    if not held or string.sub(held, 1, #ticket + 1) ~= ticket .. ' ' then return refuse('lost') end
    there = redis.call('EXISTS', asks, watch)
  end
  local is_busy, finish
  if there > 0 then is_busy, finish = unusual() end
  if is_busy then return refuse('busy') end
  local revision, written_by, unreadable = read_head()
  local refused = refusal(revision, written_by, unreadable)
  if refused then return refuse(refused) end
  local written, failure = change(now, revision)
  if not written then return failure end
  if finish then finish() end
  if kind == 'delete' then return remember(revision and 'deleted' or 'deleted -') end
  return remember('saved ' .. written)
end
local reply = isolated(write)
if staged ~= '' then redis.call('DEL', staged) end
return reply
