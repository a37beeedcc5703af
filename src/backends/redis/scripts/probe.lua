-- Uses every command of the other scripts once, in the forms in which they use it, and every function of Lua that a server
-- might not have, on keys that are deleted afterwards. So a user without permission for one of them, or a server that
-- lacks one, is refused here and not in the middle of a release. Later commands run although an earlier one failed, so
-- that nothing is left behind; the first failure is returned, with the name of the command, or every one where that is
-- asked for.
-- KEYS: probe stamp
-- ARGV: channel undeclared every
--   stamp: a second key, since a cluster refuses two keys of different slots; undeclared: a key that is not in KEYS, since
--   scripts that serve many locks use such keys, or '' if none is to be tried; every: 'every' or ''
-- Replies: 'ready'; ['ready', why wakes cannot be sent]; or an error. With 'every': ['every', each failure …]
-- Promises: S1 P1
local probe, stamp = KEYS[1], KEYS[2]
local channel, undeclared, every = ARGV[1], ARGV[2], ARGV[3] == 'every'
local failure
local failures = { 'every' }
local function noted(what, reply)
  if type(reply) ~= 'table' or not reply.err then return end
  failures[#failures + 1] = reply.err .. ' [' .. what .. ']'
  if failure then return end
  -- Servers other than Redis leave the code out, by which a client knows an error reply.
  local code = string.find(reply.err, '^%-?%u%u+ ') and '' or string.find(reply.err, '^@') and '' or 'ERR '
  failure = { err = code .. reply.err .. ' [' .. what .. ']' }
end
noted('TIME', redis.pcall('TIME'))
noted('two keys', redis.pcall('EXISTS', unpack({ probe, stamp })))
if undeclared ~= '' then noted('undeclared keys', redis.pcall('EXISTS', undeclared)) end
noted('SET PX', redis.pcall('SET', probe, 'x', 'PX', 1000))
noted('SET GET', redis.pcall('SET', probe, 'x', 'GET'))
noted('SET KEEPTTL', redis.pcall('SET', probe, 'x', 'KEEPTTL'))
noted('SET NX PX', redis.pcall('SET', probe, 'x', 'NX', 'PX', 1000))
noted('GET', redis.pcall('GET', probe))
noted('MGET', redis.pcall('MGET', probe))
noted('GETRANGE', redis.pcall('GETRANGE', probe, 0, 0))
noted('STRLEN', redis.pcall('STRLEN', probe))
noted('TYPE', redis.pcall('TYPE', probe))
noted('SETRANGE', redis.pcall('SETRANGE', probe, 0, 'x'))
noted('PERSIST', redis.pcall('PERSIST', probe))
noted('RENAME', redis.pcall('RENAME', probe, probe))
noted('PTTL', redis.pcall('PTTL', probe))
noted('DEL', redis.pcall('DEL', probe))
noted('HSET', redis.pcall('HSET', probe, 'x', 'x', 'y', 'y'))
noted('PEXPIRE', redis.pcall('PEXPIRE', probe, 1000))
noted('HGET', redis.pcall('HGET', probe, 'x'))
noted('HMGET', redis.pcall('HMGET', probe, 'x'))
noted('HGETALL', redis.pcall('HGETALL', probe))
noted('HEXISTS', redis.pcall('HEXISTS', probe, 'x'))
noted('HLEN', redis.pcall('HLEN', probe))
noted('HDEL', redis.pcall('HDEL', probe, 'x', 'y'))
noted('ZADD', redis.pcall('ZADD', probe, 1, 'x'))
noted('ZCARD', redis.pcall('ZCARD', probe))
noted('ZCOUNT', redis.pcall('ZCOUNT', probe, '-inf', '(0'))
noted('ZSCORE', redis.pcall('ZSCORE', probe, 'x'))
noted('ZRANK', redis.pcall('ZRANK', probe, 'x'))
noted('ZRANGEBYSCORE', redis.pcall('ZRANGEBYSCORE', probe, '-inf', '(0', 'LIMIT', '0', '1'))
noted('ZREM', redis.pcall('ZREM', probe, 'x'))
noted('DEL', redis.pcall('DEL', probe))
if not failure and cjson.decode('["x"]')[1] ~= 'x' then noted('cjson.decode', { err = 'ERR JSON is not decoded' }) end
if failure and not every then return failure end
-- Wakes are hints: the permissions to publish and to count subscribers are optional. The test of the subscription reports
-- that subscribers are not counted (wake-subscription.ts).
noted('PUBLISH', redis.pcall('PUBLISH', channel, ''))
local counted = redis.pcall('PUBSUB', 'NUMSUB', channel)
if every then
  noted('PUBSUB NUMSUB', counted)
  return failures
end
return failure and { 'ready', failure.err } or 'ready'
