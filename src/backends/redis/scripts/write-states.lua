-- Saves and deletes several states without tickets, each by itself: only while its lock is free and no ticket waits for
-- it [S8]. Each is looked at before the first write; of the writes, only the first can fail for lack of memory.
-- KEYS: stamp done
-- ARGV: prefix seen slot n proof keep refresh columns payload
--   slot … refresh: see release.lua; payload: the bytes of all saves, in order
--   columns: a JSON array of ids kind serializer ttl ifRevision staged size; each but ids is an array, or the
--   one value that all operations have. staged: see commit.lua; kind: save or delete
-- Replies: 'written <revision> <marks>', 'refused - <marks>' (nothing was written), 'forgotten', or the recorded reply of
--   the first attempt. revision: that of all saves, or -. marks: a letter for each operation, or one for all: s saved,
--   d deleted, a absent, b busy, c conflict, u unreadable. For each of the last two follows a line: 'conflict <revision or
--   absent>' or 'unreadable <what it is>'
-- Promises: S2 S3 S5 S6 S7 S8 L12 E2
local stamp, done = KEYS[1], KEYS[2]
local prefix, seen = ARGV[1], tonumber(ARGV[2])
local slot, n, proof, keep, refresh, payload = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[9]
local columns = cjson.decode(ARGV[8])
local ids = columns[1]
local count = #ids
local kind, serializer, ttl, if_revision, staged, bytes
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
-- Most calls have the same in a whole column, which is then looked at once.
local function of(column, i)
  if type(column) == 'table' then return column[i] end
  return column
end
local kinds, serializers, ttls, if_revisions, stageds, sizes = unpack(columns, 2)
local function take_terms(i)
  kind, serializer, ttl = of(kinds, i), of(serializers, i), of(ttls, i)
  if_revision, staged = of(if_revisions, i), of(stageds, i)
end
take_terms(1)
local are_alike = true
for at = 2, 6 do are_alike = are_alike and type(columns[at]) ~= 'table' end
-- Whether there are locks, queues or watches, and states, at all, so that most calls need not look at each.
local function look_at_all()
  local state_start, watch_start = prefix .. 'state:{', prefix .. 'watch:{'
  local guards = {}
  for i = 1, count do
    local id, at = ids[i], 3 * i
    local watch = watch_start .. id .. '}'
    states[i], watches[i] = state_start .. id .. '}', watch
    guards[at - 2], guards[at - 1], guards[at] = lock_start .. id .. '}', queue_start .. id .. '}', watch
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
  state = states[i]
  if not are_alike then take_terms(i) end
  if staged ~= '' and redis.call('STRLEN', staged) == 0 then error({ err = NOT_STAGED }) end
  if is_unusual then
    -- What is no lock, or no queue, is reported to the one who asks for it.
    local ok, busy = pcall(is_busy, ids[i])
    if not ok or busy then return 'b' end
  end
  local revision, written_by, unreadable
  if some_there then revision, written_by, unreadable = read_head() end
  -- No revision below LAST is above this one: a single write finds a place.
  if revision and revision >= LAST - 2 then return 'b' end
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
-- Returns the revision of all saves, as text.
local function write_all()
  local stamped, failure
  if saves > 0 then
    stamped, failure = reserve(now, highest, 1)
    if not stamped then error(failure) end
  else
    -- Needs no memory. After a first write, the receipt will not fail for lack of it.
    redis.call('PEXPIRE', done, keep)
  end
  local size = type(sizes) == 'number' and sizes
  local head = saves > 0
    and are_alike
    and 'hf1 ' .. text(stamped) .. ' ' .. string.match(serializer, '^[^,]*') .. '\n'
  local taken = 0
  for i = 1, count do
    local from = taken + 1
    taken = taken + (size or sizes[i])
    if marks[i] == 's' or marks[i] == 'd' then
      state = states[i]
      if not are_alike then take_terms(i) end
      bytes = string.sub(payload, from, taken)
      local written, reason = change(now, found[i], stamped, head)
      if not written then error(reason) end
    end
  end
  return stamped and text(stamped) or '-'
end
local function tell_all_watchers()
  for i, watched in ipairs(redis.call('MGET', unpack(watches))) do
    if marks[i] == 's' or marks[i] == 'd' then
      state = states[i]
      tell_watchers(prefix, watched)
    end
  end
end
local function answer(status, revision)
  local letters = table.concat(marks)
  if letters == string.rep(marks[1], count) then letters = marks[1] end
  return table.concat({ status .. ' ' .. revision .. ' ' .. letters, unpack(reasons) }, '\n')
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
  local revision = write_all()
  if is_unusual then tell_all_watchers() end
  return remember(answer('written', revision))
end)
for i = 1, stageds ~= '' and count or 0 do
  local key = of(stageds, i)
  if key ~= '' then sent_ahead[#sent_ahead + 1] = key end
end
if #sent_ahead > 0 then redis.call('DEL', unpack(sent_ahead)) end
return reply
