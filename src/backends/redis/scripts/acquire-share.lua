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

-- Commands for all operations are called once.
local slots, needed = {}, 0
for i = 1, count do
  local at = first_at + width * (i - 1)
  slots[i] = operations[at + SLOT]
  needed = needed + operations[terms_at + operations[at + TERMS] + FENCES]
end
local now = clock()
local records = redis.call('HMGET', done, unpack(slots))
local next_fence = reserve(now, seen, needed)

-- The usual case, with as few functions and commands as possible: there is room, no ticket waits, no lease may be over, and
-- this one ends last. What is stored: lib/shares.lua. Returns whether the share was granted.
local function grant_simply(asked_limit, fence)
  local known = redis.pcall('HMGET', sharing, 'generation', 'used', 'first', 'until', 'limit', 'created', ticket)
  local held = redis.pcall('GET', lock)
  if known.err or known[7] or type(held) == 'table' then return false end
  local generation, limit, kind, weight = known[1], tonumber(known[5]), string.match(wish, '([rw])(%d+)$')
  local used, expires = 0, now + lease * 1000
  if held then
    local first, ends = tonumber(string.match(known[3] or '', '^%d+')), tonumber(known[4])
    used = tonumber(known[2])
    if held ~= 'shared ' .. (generation or '') or not used or not first or not ends then return false end
    if first <= now or expires <= ends then return false end
  elseif generation then
    return false
  end
  if kind == 'w' then
    local suits = asked_limit == '-' or asked_limit == known[5] or asked_limit == known[6]
    if not limit or not suits or used + weight > limit then return false end
  end
  if redis.call('EXISTS', queue) == 1 then return false end
  local until_text = text(expires)
  local share = until_text .. ' ' .. text(fence) .. ' ' .. text(fence + fences - 1) .. ' ' .. weight
  if held then
    redis.call('PEXPIRE', lock, lease)
    redis.call('HSET', sharing, ticket, share, 'used', text(used + weight), 'until', until_text)
  else
    generation = text(fence)
    redis.call('SET', lock, 'shared ' .. generation, 'PX', lease)
    redis.call('HSET', sharing, ticket, share, 'used', weight, 'until', until_text, 'generation', generation, 'first', until_text .. ' ' .. ticket)
  end
  redis.call('PEXPIRE', sharing, limit and text(lease + SEMAPHORE_KEEP_MS) or lease)
  return true
end
-- The indexes of all other operations go to `remaining`, and the fence reserved for each of them to `reserved`.
local replies, remaining, reserved = {}, {}, {}
local function take_operation(i)
  local at = first_at + width * (i - 1)
  local terms = terms_at + operations[at + TERMS]
  ticket = base .. operations[at + NUMBER]
  lease, fences, wish = operations[terms + LEASE], tonumber(operations[terms + FENCES]), operations[terms + WISH]
  set_all_keys(operations[at + ID])
  return operations[terms + LIMIT], at
end
for i = 1, count do
  local asked_limit, at = take_operation(i)
  if records[i] and is_settled(records[i], tonumber(operations[at + N])) then
    replies[i] = 'settled'
  elseif not next_fence or not grant_simply(asked_limit, next_fence) then
    remaining[#remaining + 1], reserved[i] = i, next_fence
  elseif string.find(wish, 's', 1, true) then
    replies[i] = { next_fence, read_state() }
  else
    replies[i] = next_fence
  end
  next_fence = next_fence and next_fence + fences
end
if #remaining == 0 then return replies end

-- @include isolated
-- @include holder
-- @include queue
-- @include shares
-- @include hand-over
-- @include ask
for _, i in ipairs(remaining) do
  limit = take_operation(i)
  reserved_fence = reserved[i]
  replies[i] = isolated(ask)
end
return replies
