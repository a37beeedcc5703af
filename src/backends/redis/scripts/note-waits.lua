-- Notes what the functions that run under locks of a client wait for, and looks for cycles, with an ask that closes one
-- [L15]. Such an ask is not noted. It only reads the keys of locks.
-- KEYS: waits
-- ARGV: prefix n keep strict notes
--   waits: a hash with what is noted of this client: for each ticket that holds a lock, its asks, each as `<ticket>
--   <length of the id> <id>`; and `n`
--   n: rises with each call of the client; keep: how long its notes live, in ms
--   strict: '1' if every key that is used must be in KEYS
--   notes: JSON, an array of [id, ticket, asks], where asks is an array of [id, ticket]
-- Replies: an array, with 0 or a cycle for each note: id, ticket, id and ticket of the ask, for each holder in it;
--   'keys' and the names of keys that must be in KEYS as well: nothing was done;
--   'late': a call with a greater n has been made, nothing was done
-- Promises: L1 L9 L12 L15
local waits = KEYS[1]
local prefix, n, keep, strict, notes = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], cjson.decode(ARGV[5])
-- @include keys
-- @include bounds
-- @include stamp
-- @include queue
-- @include holder
-- @include shares
-- As in src/backends/contract-waits.ts.
local MAX_ASKS = 64
local known = tonumber(redis.call('HGET', waits, 'n') or '')
if known and known > n then return 'late' end
local now = clock()

local declared, missing = {}, {}
for _, key in ipairs(KEYS) do declared[key] = true end
-- Whether this key may be used. If not, the caller runs the script again with it.
local function may_use(key)
  if strict ~= '1' or declared[key] then return true end
  if declared[key] == nil then missing[#missing + 1] = key end
  declared[key] = false
  return false
end
local function may_use_lock()
  local is_allowed = true
  for _, key in ipairs({ lock, queue, asks, sharing }) do
    if not may_use(key) then is_allowed = false end
  end
  return is_allowed
end

-- What is noted of this client by now, by ticket; `false`: nothing.
local own = {}
local function asks_of(ticket)
  if own[ticket] ~= nil then return own[ticket] or {} end
  local key = prefix .. 'waits:' .. (string.match(ticket, ':(%x+):%d+$') or '')
  local found, at = {}, 1
  local noted = may_use(key) and redis.call('HGET', key, ticket) or ''
  while at <= #noted do
    local ask, length, from = string.match(noted, '^(%S+) (%d+) ()', at)
    if not ask then break end
    found[#found + 1] = { id = string.sub(noted, from, from + length - 1), ticket = ask }
    at = from + length
  end
  return found
end

-- The tickets each of which must release its lock before this ask can be granted, by fence.
local function holders_before(id, ask)
  set_all_keys(id)
  if not may_use_lock() then return {} end
  local held, score = redis.call('GET', lock), tonumber(redis.call('ZSCORE', queue, ask) or '')
  if not held or not score or score >= BEYOND then return {} end
  local _, wish = ask_of(ask, now)
  if not wish then return {} end
  local kind = share_of(wish)
  if kind == 'w' then return {} end
  if not is_marker(held) then
    local holder = parse_holder(held)
    return (not holder or holder == ask) and {} or { holder }
  end
  -- A shared ask waits for an exclusive one that is before it, and that may give up.
  if kind then return {} end
  local S, found = with_shares(), {}
  S.load(held, '')
  if not shares.is_held then return {} end
  S.each(function(ticket, expires, first)
    if expires and expires > now then found[#found + 1] = { ticket = ticket, fence = first } end
  end)
  table.sort(found, function(a, b) return a.fence < b.fence end)
  for i, holder in ipairs(found) do found[i] = holder.ticket end
  return found
end

-- The blocked holders between this ask and the lock that `target` holds, the last one first; nil: it does not wait for
-- that.
local seen, looked
local function path_to(target, id, ask)
  if seen[ask] or looked == MAX_ASKS then return nil end
  seen[ask], looked = true, looked + 1
  for _, holder in ipairs(holders_before(id, ask)) do
    if holder == target then return {} end
    for _, following in ipairs(asks_of(holder)) do
      local path = path_to(target, following.id, following.ticket)
      if path then
        path[#path + 1] = { id, holder, following.id, following.ticket }
        return path
      end
    end
  end
  return nil
end

-- Of what was noted before, nothing counts.
for _, note in ipairs(notes) do own[note[2]] = false end
local replies = {}
for i, note in ipairs(notes) do
  local id, ticket, waits_for = unpack(note)
  replies[i] = 0
  for _, ask in ipairs(waits_for) do
    seen, looked = {}, 0
    local path = path_to(ticket, ask[1], ask[2])
    if not path then
      own[ticket] = own[ticket] or {}
      table.insert(own[ticket], { id = ask[1], ticket = ask[2] })
    elseif replies[i] == 0 then
      local cycle = { id, ticket, ask[1], ask[2] }
      for step = #path, 1, -1 do
        for _, field in ipairs(path[step]) do cycle[#cycle + 1] = field end
      end
      replies[i] = cycle
    end
  end
end
if #missing > 0 then return { 'keys', unpack(missing) } end

-- What ends comes first: it needs no memory.
for _, note in ipairs(notes) do redis.call('HDEL', waits, note[2]) end
local fields = { 'n', text(n) }
for _, note in ipairs(notes) do
  local noted = {}
  for _, ask in ipairs(own[note[2]] or {}) do noted[#noted + 1] = ask.ticket .. ' ' .. #ask.id .. ' ' .. ask.id end
  if #noted > 0 then
    fields[#fields + 1] = note[2]
    fields[#fields + 1] = table.concat(noted)
  end
end
redis.call('HSET', waits, unpack(fields))
-- Without notes, only n is kept, against late copies.
redis.call('PEXPIRE', waits, redis.call('HLEN', waits) == 1 and '60000' or keep)
return replies
