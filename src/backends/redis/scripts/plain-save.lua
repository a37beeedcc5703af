-- Saves a state of the plain protocol (holdfast/statefulpy), if this token has its lock. Like a plain SET, it removes a
-- time to live.
-- KEYS: lock state
-- ARGV: token bytes
-- Replies: 'saved', 'lost'
-- Promises: S4 L11
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return { 'lost' } end
redis.call('SET', KEYS[2], ARGV[2])
return { 'saved' }
