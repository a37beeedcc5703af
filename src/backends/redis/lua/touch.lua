-- Gives a state a new life.
-- KEYS: state
-- ARGV: ttlMs
-- Replies: 'touched', 'absent', 'unreadable <what it is>'
-- Promises: S6 S7
local state = KEYS[1]
-- @include head
local revision, _, unreadable = read_head()
if unreadable then return 'unreadable ' .. unreadable end
if not revision then return 'absent' end
redis.call('PEXPIRE', state, ARGV[1])
return 'touched'
