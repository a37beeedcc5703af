-- Renews a lock of the plain protocol (holdfast/statefulpy), if this token has it.
-- KEYS: lock
-- ARGV: token leaseMs
-- Replies: 'renewed', 'lost'
-- Promises: L5 L11
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return { 'lost' } end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return { 'renewed' }
