-- Saves and deletes several states without tickets, each by itself: only while its lock is free and no ticket waits for
-- it [S8]. Each is looked at before the first write; of the writes, only the first can fail for lack of memory.
-- KEYS: stamp done
-- ARGV: prefix seen slot n proof keep refresh operations payload
--   slot … refresh: see release.lua; operations: a JSON array of their count, then the operations, then their terms;
--   payload: the bytes of all saves, in order
-- Each operation: id ifRevision size staged terms; its terms: kind serializer ttl
--   staged: see commit.lua; terms: where they begin, counted from 0; kind: save or delete
-- Replies: 'written <first> <marks>', 'refused <first> <marks>' (nothing was written), 'forgotten', or the recorded
--   reply of the first attempt. first: the revision of the first save, or -; each later one has the next. marks: a letter
--   for each operation, or one for all: s saved, d deleted, a absent, b busy, c conflict, u unreadable. For each of the last
--   two follows a line: 'conflict <revision or absent>' or 'unreadable <what it is>'
-- Promises: S2 S3 S5 S6 S7 S8 L12 E2
local stamp, done = KEYS[1], KEYS[2]
local prefix, seen = ARGV[1], tonumber(ARGV[2])
local slot, n, proof, keep, refresh, payload = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[9]
local operations = cjson.decode(ARGV[8])
local count, first_at, width = operations[1], 2, 5
-- The offsets of an operation's fields from its beginning, and of its terms.
local ID, IF_REVISION, SIZE, STAGED, TERMS = 0, 1, 2, 3, 4
local KIND, SERIALIZER, TTL = 0, 1, 2
local kind, serializer, ttl, if_revision, bytes, staged
-- @include keys
-- @include bounds
-- @include stamp
-- @include recorded
-- @include write-down
-- @include receipt
-- @include envelope
-- @include change
-- @include isolated
-- @include queue
-- @include somebody-waits
-- @include shares
-- @include is-held
-- @include watchers
local now = clock()
local states, watches, sent_ahead = {}, {}, {}
local terms
local function take(i)
  local at = first_at + width * (i - 1)
  if_revision, staged, state = operations[at + IF_REVISION], operations[at + STAGED], states[i]
  if operations[at + TERMS] + 1 ~= terms then
    terms = operations[at + TERMS] + 1
    kind, serializer, ttl = operations[terms + KIND], operations[terms + SERIALIZER], operations[terms + TTL]
  end
  return at
end
-- Whether there are locks, queues or watches, and states, at all, so that most calls need not look at each.
local function look_at_all()
  local guards = {}
  for i = 1, count do
    local id = operations[first_at + width * (i - 1) + ID]
    set_state_key(id)
    states[i] = state
    watches[i] = prefix .. 'watch:{' .. id .. '}'
    local at = 3 * i
    guards[at - 2], guards[at - 1], guards[at] = lock_start .. id .. '}', queue_start .. id .. '}', watches[i]
  end
  return redis.call('EXISTS', unpack(guards)) > 0, redis.call('EXISTS', unpack(states)) > 0
end
local function is_busy(id)
  set_all_keys(id)
  shares = nil
  return redis.call('EXISTS', lock, queue) > 0 and (is_held(now) or somebody_waits(now))
end
local marks, reasons, found, highest, saves, deletes = {}, {}, {}, seen, 0, 0
-- What is to become of the operation.
local function mark_of(i, is_unusual, some_there)
  local at = take(i)
  if staged ~= '' and redis.call('STRLEN', staged) == 0 then error({ err = NOT_STAGED }) end
  if is_unusual then
    -- What is no lock, or no queue, is reported to the one who asks for it.
    local ok, busy = pcall(is_busy, operations[at + ID])
    if not ok or busy then return 'b' end
  end
  local revision, written_by, unreadable
  if some_there then revision, written_by, unreadable = read_head() end
  -- So many revisions may not fit below LAST after this one: a single write finds a place.
  if revision and revision >= LAST - 2 * count then return 'b' end
  local reason = refusal(revision, written_by, unreadable)
  if reason then
    reasons[#reasons + 1] = reason
    return string.sub(reason, 1, 1)
  end
  found[i] = revision
  if kind == 'delete' then
    deletes = deletes + 1
    return revision and 'd' or 'a'
  end
  saves = saves + 1
  if revision and revision > highest then highest = revision end
  return 's'
end
-- Returns the first revision, as text.
local function write_all()
  local first, failure
  if saves > 0 then
    first, failure = reserve(now, highest, saves)
    if not first then error(failure) end
  else
    -- Needs no memory. After a first write, the receipt will not fail for lack of it.
    redis.call('PEXPIRE', done, keep)
  end
  local next_stamp, taken = first, 0
  for i = 1, count do
    local at = take(i)
    local from = taken + 1
    taken = taken + operations[at + SIZE]
    if marks[i] == 's' then
      bytes = string.sub(payload, from, taken)
      local written, reason = change(now, found[i], next_stamp)
      if not written then error(reason) end
      next_stamp = next_stamp + 1
    elseif marks[i] == 'd' then
      change(now, found[i])
    end
  end
  return first and text(first) or '-'
end
local function tell_all_watchers()
  for i, watched in ipairs(redis.call('MGET', unpack(watches))) do
    if marks[i] == 's' or marks[i] == 'd' then
      state = states[i]
      tell_watchers(prefix, watched)
    end
  end
end
local function answer(status, first)
  local letters = table.concat(marks)
  if letters == string.rep(marks[1], count) then letters = marks[1] end
  return table.concat({ status .. ' ' .. first .. ' ' .. letters, unpack(reasons) }, '\n')
end
local reply = isolated(function()
  local known = recall(redis.call('HGET', done, slot))
  if known then return known end
  local is_unusual, some_there = look_at_all()
  for i = 1, count do
    marks[i] = mark_of(i, is_unusual, some_there)
  end
  if saves + deletes == 0 then return refuse(answer('refused', '-')) end
  if INDEXED then redis.call('ZCARD', string.sub(stamp, 1, -12) .. 'index') end -- its type
  local first = write_all()
  if is_unusual then tell_all_watchers() end
  return remember(answer('written', first))
end)
for i = 1, count do
  local key = operations[first_at + width * (i - 1) + STAGED]
  if key ~= '' then sent_ahead[#sent_ahead + 1] = key end
end
if #sent_ahead > 0 then redis.call('DEL', unpack(sent_ahead)) end
return reply
