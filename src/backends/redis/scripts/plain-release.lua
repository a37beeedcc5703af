-- Releases a lock of the plain protocol (holdfast/statefulpy), if this token has it. It wakes nobody: waiters ask.
-- KEYS: lock
-- ARGV: token
-- Replies: 'released', 'lost'
-- Promises: L6 L11
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return { 'lost' } end
redis.call('DEL', KEYS[1])
return { 'released' }
