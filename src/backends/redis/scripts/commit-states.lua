-- Writes several states and releases their locks, all or nothing, in one step [S9]. Everything that can refuse it comes
-- before the first write; of the writes, only the first can fail for lack of memory.
-- KEYS: stamp done
-- ARGV: prefix seen slot n proof keep refresh count payload
-- Each operation: id ticket kind serializer ttl ifRevision size staged slot n; no terms
--   they follow, one for each state
--   slot … refresh: see release.lua; kind … staged: see commit.lua; payload: the bytes of all saves, in order; the last
--   two: of the receipt that settles the ticket, or empty if the lock is not released
-- Replies: 'committed <revision or -> …', one for each state; 'lost <index>', 'conflict <index> <revision or absent>',
--   'unreadable <index> <what it is>' (all three: nothing was done), 'forgotten', or the recorded reply of the first
--   attempt
-- Promises: S2 S3 S4 S5 S6 S7 S9 L2 L6 L8 L9 E2
local stamp, done = KEYS[1], KEYS[2]
local prefix, seen = ARGV[1], tonumber(ARGV[2])
local slot, n, proof, keep, refresh, count, payload = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], tonumber(ARGV[8]), ARGV[9]
local first_at, width = 10, 10
-- The offsets of the fields of a state from its beginning.
local ID, TICKET, KIND, SERIALIZER, TTL, IF_REVISION, SIZE, STAGED, SLOT, N = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9
local kind, serializer, ttl, if_revision, size, staged, bytes
-- @include keys
-- @include bounds
-- @include stamp
-- @include recorded
-- @include write-down
-- @include receipt
-- @include envelope
-- @include change
-- @include holder
-- @include isolated
local locks, watches, sent_ahead = {}, {}, {}
-- Queues and watches: usually none of these keys is there.
local unusual = {}
for i = 1, count do
  local at = first_at + width * (i - 1)
  local id, key = ARGV[at + ID], ARGV[at + STAGED]
  locks[i], watches[i] = lock_start .. id .. '}', prefix .. 'watch:{' .. id .. '}'
  unusual[#unusual + 1] = queue_start .. id .. '}'
  unusual[#unusual + 1] = watches[i]
  if key ~= '' then sent_ahead[#sent_ahead + 1] = key end
end
local function take_state(i)
  local at = first_at + width * (i - 1)
  kind, serializer, ttl, if_revision, size, staged = unpack(ARGV, at + KIND, at + SLOT - 1)
  set_state_key(ARGV[at + ID])
  return at
end
-- What is stored: the revision of each state, if it matters; the greatest of them; the number of saves.
local found, highest, saves = {}, seen, 0
-- Why nothing can be done, if so.
local function refused()
  if INDEXED then redis.call('ZCARD', string.sub(stamp, 1, -12) .. 'index') end -- its type
  local held = redis.call('MGET', unpack(locks))
  for i = 1, count do
    -- MGET finds nothing where GET finds the wrong type.
    local holder = held[i] or redis.call('GET', locks[i])
    if not is_held_by(holder, ARGV[first_at + width * (i - 1) + TICKET]) then return 'lost ' .. i - 1 end
  end
  for i = 1, count do
    take_state(i)
    if kind ~= 'none' or if_revision ~= '' then
      local revision, written_by, unreadable = read_head()
      local reason = refusal(revision, written_by, unreadable)
      if reason then return (string.gsub(reason, ' ', ' ' .. i - 1 .. ' ', 1)) end
      found[i] = revision
      if revision and revision > highest then highest = revision end
    end
    if kind == 'save' then saves = saves + 1 end
    if staged ~= '' and redis.call('STRLEN', staged) == 0 then error({ err = NOT_STAGED }) end
  end
  return nil
end
local revisions, receipts = {}, {}
-- Returns the time.
local function write_all()
  local now = clock()
  local next_stamp, failure
  if saves > 0 then
    next_stamp, failure = reserve(now, highest, saves)
    if not next_stamp then error(failure) end
  else
    -- Needs no memory. After a first write, the receipt will not fail for lack of it.
    redis.call('PEXPIRE', done, keep)
  end
  local taken = 0
  for i = 1, count do
    local at = take_state(i)
    revisions[i] = '-'
    if kind ~= 'none' then
      bytes = string.sub(payload, taken + 1, taken + size)
      taken = taken + size
      local written, reason = change(now, found[i], next_stamp)
      if not written then error(reason) end
      revisions[i] = written
      if kind == 'save' then next_stamp = next_stamp + 1 end
    end
    local ticket_slot, ticket_n = ARGV[at + SLOT], ARGV[at + N]
    if ticket_slot ~= '' then
      receipts[#receipts + 1] = ticket_slot
      receipts[#receipts + 1] = ticket_n .. ' released ' .. revisions[i]
    end
  end
  return now
end
local function release_all()
  local freed = {}
  for i = 1, count do
    if ARGV[first_at + width * (i - 1) + SLOT] ~= '' then freed[#freed + 1] = locks[i] end
  end
  if #freed > 0 then redis.call('DEL', unpack(freed)) end
end
local function answer()
  local reply = 'committed ' .. table.concat(revisions, ' ')
  write_down(slot, n .. ' ' .. reply, unpack(receipts))
  return reply
end
local is_usual = true
local reply = isolated(function()
  local known = recall(redis.call('HGET', done, slot))
  if known then return known end
  local reason = refused()
  if reason then return refuse(reason) end
  if redis.call('EXISTS', unpack(unusual)) > 0 then
    is_usual = false
    return nil
  end
  write_all()
  release_all()
  return answer()
end)
if is_usual then
  if #sent_ahead > 0 then redis.call('DEL', unpack(sent_ahead)) end
  return reply
end

-- @include queue
-- @include shares
-- @include hand-over
-- @include watchers
reply = isolated(function()
  -- Types are checked before the first write: HLEN for the hash that the walk will read.
  local waited_for = {}
  for i = 1, count do
    set_all_keys(ARGV[first_at + width * (i - 1) + ID])
    waited_for[i] = redis.call('ZCARD', queue) > 0
    if waited_for[i] then redis.call('HLEN', asks) end
  end
  local now = write_all()
  release_all()
  local committed = answer()
  for i, watched in ipairs(redis.call('MGET', unpack(watches))) do
    take_state(i)
    if kind ~= 'none' then tell_watchers(prefix, watched) end
  end
  for i = 1, count do
    local at = first_at + width * (i - 1)
    if waited_for[i] then
      set_all_keys(ARGV[at + ID])
      -- Its ticket may not have confirmed a hand-over until now.
      leave(ARGV[at + TICKET])
      if ARGV[at + SLOT] ~= '' then
        shares = nil
        serve(now, nil, true)
      end
    end
  end
  return committed
end)
if #sent_ahead > 0 then redis.call('DEL', unpack(sent_ahead)) end
return reply
