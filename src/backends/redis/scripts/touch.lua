-- Sets a new expiry of a state.
-- KEYS: state done stamp watch
-- ARGV: ttlMs slot n proof keep refresh
--   slot … refresh: see release.lua
-- Replies: 'touched', 'absent', 'unreadable <what it is>' (both: nothing was done), 'forgotten', or the recorded reply
-- Promises: S5 S6 S7 E2
local state, done, stamp, watch = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local ttl, slot, n, proof, keep, refresh = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
-- @include recorded
-- @include write-down
-- @include receipt
-- @include bounds
-- @include envelope
-- @include watchers
local known = recall(redis.call('HGET', done, slot))
if known then return known end
local revision, _, unreadable = read_head()
if unreadable then return refuse('unreadable ' .. unreadable) end
if not revision then return refuse('absent') end
redis.call('PEXPIRE', state, ttl)
tell_watchers(string.sub(stamp, 1, -1 - #'stamp'), redis.pcall('GET', watch))
return remember('touched')
