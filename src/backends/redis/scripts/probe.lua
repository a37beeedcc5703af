-- Uses every command of the other scripts once, on a key that is deleted afterwards. So a user without permission for
-- one of them, or for Holdfast's keys, is refused here and not in the middle of a release.
-- KEYS: probe
-- ARGV: channel
-- Replies: 'ready', or Redis's error
-- Promises: S1 P1
local probe = KEYS[1]
redis.call('TIME')
redis.call('SET', probe, 'x', 'PX', 1000)
redis.call('GET', probe)
redis.call('MGET', probe)
redis.call('GETRANGE', probe, 0, 0)
redis.call('STRLEN', probe)
redis.call('TYPE', probe)
redis.call('SETRANGE', probe, 0, 'x')
redis.call('PERSIST', probe)
redis.call('RENAME', probe, probe)
redis.call('EXISTS', probe)
redis.call('PTTL', probe)
redis.call('DEL', probe)
redis.call('HSET', probe, 'x', 'x')
redis.call('PEXPIRE', probe, 1000)
redis.call('HGET', probe, 'x')
redis.call('HMGET', probe, 'x')
redis.call('HEXISTS', probe, 'x')
redis.call('HLEN', probe)
redis.call('HDEL', probe, 'x')
redis.call('ZADD', probe, 1, 'x')
redis.call('ZCARD', probe)
redis.call('ZCOUNT', probe, '-inf', '(0')
redis.call('ZSCORE', probe, 'x')
redis.call('ZRANK', probe, 'x')
redis.call('ZRANGEBYSCORE', probe, '-inf', '(0', 'LIMIT', '0', '1')
redis.call('ZREM', probe, 'x')
-- Wakes are hints: the permissions to publish and to count subscribers are optional.
redis.pcall('PUBLISH', ARGV[1], '')
redis.pcall('PUBSUB', 'NUMSUB', ARGV[1])
return 'ready'
