-- Whether the store has an index of its ids: claims one for a new store, or begins to build one, or drops it. The last
-- stamp moves from one key to another, and where it was comes a hash: see lib/stamp.lua.
-- KEYS: plain indexed index building
--   plain, indexed: where the last stamp is without and with an index; building: there while an index is being built
-- ARGV: action
--   action: claim, build or drop
-- Replies: 'indexed', 'building', 'plain' (claim: the store is in use without an index), 'begun' (build), 'dropped'
-- Promises: S2 L3
local plain, indexed, index, building, action = KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[1]
local function type_of(key)
  return redis.call('TYPE', key).ok
end
local function is_ours(kind)
  return kind == 'none' or kind == 'string' or kind == 'hash'
end
local plain_type, indexed_type = type_of(plain), type_of(indexed)
if not is_ours(plain_type) or not is_ours(indexed_type) then
  return { err = 'WRONGTYPE something else is in the key of the last stamp' }
end
local function last_in(key, kind)
  return kind == 'string' and tonumber(redis.call('GET', key)) or 0
end
local function move(from, to)
  local last = math.max(last_in(plain, plain_type), last_in(indexed, indexed_type))
  redis.call('DEL', from, to)
  redis.call('SET', to, string.format('%.0f', last))
  redis.call('HSET', from, 'about', to == indexed and 'this store has an index' or 'this store has no index')
end
if action == 'drop' then
  if indexed_type ~= 'string' then return 'plain' end
  move(indexed, plain)
  redis.call('DEL', building)
  -- To delete millions of ids here would take seconds.
  if redis.call('EXISTS', index) == 1 then redis.call('RENAME', index, building) end
  return 'dropped'
end
if indexed_type == 'string' and (plain_type ~= 'string' or action == 'claim') then
  return redis.call('EXISTS', building) == 1 and 'building' or 'indexed'
end
if action == 'claim' and plain_type == 'string' then return 'plain' end
if action == 'build' then redis.call('SET', building, '1') end
move(plain, indexed)
return action == 'build' and 'begun' or 'indexed'
