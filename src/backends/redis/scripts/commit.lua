-- Changes states and releases their locks, each in one step; or keeps a lock if that was requested and no ticket waits.
-- A save that fails for lack of memory does not stop the release, whose reply reports it. One script serves all commits
-- that a client makes at once, of different ids. Each has its own reply or error. A share does not permit a change and is
-- not kept: without a change it is released, and with one it is lost.
-- KEYS: stamp done
-- ARGV: operations prefix seen keep refresh payload
-- Each operation: id number slot n proof ifRevision size staged terms; its terms: kind serializer ttl leaseMs fences
--   operations: see lib/operations.lua; payload: the bytes of all saves, in order; size: the number of bytes of this
--   one; staged: the key to which a large value was sent ahead, or empty
--   keep … proof: see release.lua; kind: save, delete, touch or none; leaseMs, fences: to keep the lock, or empty and 0
-- Replies: if all are saved and released with consecutive revisions, the first revision; otherwise an array, with one
-- of these for each commit:
--   'released <revision or ->', 'released - OUT_OF_MEMORY', 'kept <revision or -> <first fence> <fences>',
--   'lost', 'conflict <revision or absent>', 'unreadable <what it is>' (all three: nothing was done), 'forgotten'
-- Promises: S2 S3 S4 S5 S6 S7 L2 L3 L6 L8 L9 L12 L13 E2
local stamp, done = KEYS[1], KEYS[2]
local prefix, seen, keep, refresh = ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local width = 9
-- The offsets of an operation's fields from its beginning, and of its terms.
local ID, NUMBER, SLOT, N, PROOF, IF_REVISION, SIZE, STAGED, TERMS = 0, 1, 2, 3, 4, 5, 6, 7, 8
local KIND, SERIALIZER, TTL, LEASE, FENCES = 0, 1, 2, 3, 4
local payload, taken = ARGV[6], 0
local slot, n, proof, kind, serializer, ttl, if_revision, lease, fences, staged
local bytes
local watch_start = prefix .. 'watch:{'
-- @include alone
-- @include keys
-- @include bounds
-- @include stamp
-- @include recorded
-- @include write-down
-- @include envelope
-- @include change

-- The usual case: a single change of a state by the ticket that holds its lock, which has no queue and is released. No
-- client watches the id.
local now, lock_value, record = clock(), nil, nil
if alone_at then
  local base, id, number, _
  base, _, id, number, slot, n, proof, if_revision, _, staged, _, kind, serializer, ttl, lease = unpack(ARGV, alone_at)
  local lock, holder = lock_start .. id .. '}', base .. number .. ' '
  lock_value, record = redis.pcall('GET', lock), redis.call('HGET', done, slot)
  if type(lock_value) ~= 'string' then lock_value = false end
  local is_first = proof == '' and number_of(record) < tonumber(n)
  local is_held = lock_value and string.sub(lock_value, 1, #holder) == holder
  local may_be_usual = is_first and is_held and kind ~= 'none' and lease == ''
  if may_be_usual and redis.call('EXISTS', queue_start .. id .. '}', watch_start .. id .. '}') == 0 then
    set_state_key(id)
    bytes = payload
    local revision, written_by, unreadable = read_head()
    local written, saved_at
    if not refusal(revision, written_by, unreadable) then written, saved_at = change(now, revision) end
    if written then
      redis.call('DEL', lock)
      write_down(slot, n .. ' released ' .. written)
      return saved_at or { 'released -' }
    end
  end
end

-- @include operations
-- @include isolated
-- @include receipt
-- @include holder
-- @include queue
-- @include shares
-- @include hand-over
-- @include end-share

-- Commands for all operations are called once. Stamps are reserved for each save and each lock that may be kept.
local locks, slots, needed = {}, {}, 0
-- The queues, and then what says that ids are watched. Usually none of these keys is there, which one command tells.
local others = {}
for i = 1, count do
  local at = first_at + width * (i - 1)
  local id, terms = operations[at + ID], terms_at + operations[at + TERMS]
  locks[i], slots[i] = lock_start .. id .. '}', operations[at + SLOT]
  others[i] = queue_start .. id .. '}'
  needed = needed + operations[terms + FENCES] + (operations[terms + KIND] == 'save' and 1 or 0)
end
for i = 1, count do others[count + i] = watch_start .. operations[first_at + width * (i - 1) + ID] .. '}' end
local holders = alone_at and { lock_value } or redis.call('MGET', unpack(locks))
local records = alone_at and { record } or redis.call('HMGET', done, unpack(slots))
local anybody_waits = alone_at or redis.call('EXISTS', unpack(others)) > 0
local watched = anybody_waits and redis.call('MGET', unpack(others, count + 1)) or {}
local next_stamp = needed > 0 and reserve(now, seen, needed) or nil
-- How many operations, from the first, were saved and released with consecutive stamps: one reply may serve them.
local first_revision, consecutive = next_stamp, 0
local function take_stamps(number)
  local first = next_stamp
  if first then next_stamp = first + number end
  return first
end

local replies, freed, receipts = {}, {}, {}
-- Like remember(), but written together with all others at the end.
local function remember_later(reply)
  receipts[#receipts + 1] = slot
  receipts[#receipts + 1] = n .. ' ' .. reply
  return reply
end
-- Returns the revision or '-', an addition to the reply, and the revision as a number; or nil and the refusal.
local function save()
  local revision, written_by, unreadable = read_head()
  local refused = refusal(revision, written_by, unreadable)
  if refused then return nil, refused end
  local written, stamp_or_error = change(now, revision, kind == 'save' and take_stamps(1))
  if written then return written, '', stamp_or_error end
  if string.find(error_text(stamp_or_error.err), '^OOM') == nil then error(stamp_or_error) end
  return '-', ' OUT_OF_MEMORY'
end
local function release_share(at, held)
  if kind ~= 'none' or not is_marker(held) then return nil end
  set_all_keys(operations[at + ID])
  if not end_share(held, base .. operations[at + NUMBER], now) then return nil end
  serve_after_share(now)
  return remember_later('released -')
end
local function commit(at, record, held, watched_by)
  shares = nil
  local known = (record or proof ~= '') and recall(record)
  if known then return known end
  held = held or redis.call('GET', lock)
  if not is_ours(held, operations[at + NUMBER]) then return release_share(at, held) or refuse('lost') end
  -- Types are checked before the first write: HLEN for the hash that the walk will read.
  local waited_for = anybody_waits and redis.call('ZCARD', queue) > 0
  if waited_for then
    set_all_keys(operations[at + ID])
    redis.call('HLEN', asks)
  end
  local revision, addition, saved_at = '-', '', nil
  if kind ~= 'none' then
    set_state_key(operations[at + ID])
    revision, addition, saved_at = save()
    if not revision then return refuse(addition) end
    if watched_by and addition == '' then
-- @include watchers
      tell_watchers(prefix, watched_by)
    end
  end
  local is_handed_over = false
  if waited_for then
    leave(base .. operations[at + NUMBER])
    redis.call('DEL', lock)
    is_handed_over = #select(2, serve(now, nil, true)) > 0
  end
  local first = lease ~= '' and addition == '' and not is_handed_over and take_stamps(fences)
  if first then
    redis.call('SET', lock, value_of(base .. operations[at + NUMBER], first, fences), 'PX', lease)
    return remember_later('kept ' .. revision .. ' ' .. text(first) .. ' ' .. fences)
  end
  if not waited_for then freed[#freed + 1] = lock end
  if saved_at and first_revision and saved_at == first_revision + consecutive then consecutive = consecutive + 1 end
  return remember_later('released ' .. revision .. addition)
end
for i = 1, count do
  local at = first_at + width * (i - 1)
  slot, n, proof, if_revision = operations[at + SLOT], operations[at + N], operations[at + PROOF], operations[at + IF_REVISION]
  local size = tonumber(operations[at + SIZE])
  staged = operations[at + STAGED]
  local terms = terms_at + operations[at + TERMS]
  kind, serializer, ttl = operations[terms + KIND], operations[terms + SERIALIZER], operations[terms + TTL]
  lease, fences = operations[terms + LEASE], tonumber(operations[terms + FENCES])
  lock, queue = locks[i], others[i]
  bytes = size == #payload and payload or string.sub(payload, taken + 1, taken + size)
  taken = taken + size
  replies[i] = isolated(commit, at, records[i], holders[i], watched[i])
  if staged ~= '' then redis.call('DEL', staged) end
end
if #freed > 0 then redis.call('DEL', unpack(freed)) end
if #receipts > 0 then write_down(unpack(receipts)) end
return consecutive == count and first_revision or replies
