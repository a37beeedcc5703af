-- Describes states, for a listing or one by itself: the head of the bytes of each, their number, and its remaining time to
-- live. Or reads them. In a store with an index, ids whose states have gone leave the index.
-- KEYS: index
--   the states follow; the index is not used in a store without one
-- ARGV: count values limit
--   count: of the states; values: '1' to read them; limit: a number of bytes, after which no more are read
-- Replies: for each state [the first 128 bytes or all bytes, length in bytes, remaining ms or -1 if it never expires], 0 if
--   it is absent, or its type if it is not a string; fewer than `count` because of the limit
-- Promises: S6
local index = KEYS[1]
local count, values, limit = tonumber(ARGV[1]), ARGV[2] == '1', tonumber(ARGV[3])
-- @include bounds
local replies, gone, total = {}, {}, 0
for i = 1, count do
  local key = KEYS[i + 1]
  local bytes = values and redis.pcall('GET', key) or redis.pcall('GETRANGE', key, '0', '127')
  if type(bytes) == 'table' then
    replies[i] = redis.call('TYPE', key).ok
  elseif (not bytes or bytes == '') and redis.call('EXISTS', key) == 0 then
    replies[i] = 0
    if INDEXED then gone[#gone + 1] = string.sub(key, #index + 3, -2) end
  else
    replies[i] = { bytes, redis.call('STRLEN', key), redis.call('PTTL', key) }
    if values then total = total + #bytes end
    if total >= limit then break end
  end
end
-- A server that is only read, or has no memory left, lists all the same.
if #gone > 0 then redis.pcall('ZREM', index, unpack(gone)) end
return replies
