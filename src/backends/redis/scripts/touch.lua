-- Sets a new expiry of a state.
-- KEYS: state done stamp watch
-- ARGV: ttl ifRevision slot n proof keep refresh
--   ttl: milliseconds, none, or until:<milliseconds since 1970>; ifRevision: empty for any; slot … refresh: see
--   release.lua
-- Replies: 'touched', 'absent', 'conflict <revision or absent>', 'unreadable <what it is>' (the last three: nothing was
--   done), 'forgotten', or the recorded reply
-- Promises: S5 S6 S7 E2
local state, done, stamp, watch = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local ttl, if_revision = ARGV[1], ARGV[2]
local slot, n, proof, keep, refresh = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
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
if if_revision ~= '' then
  local found = revision and string.format('%.0f', revision) or 'absent'
  if found ~= if_revision then return refuse('conflict ' .. found) end
end
if not revision then return refuse('absent') end
local at = string.match(ttl, '^until:(%d+)$')
if at then
  local time = redis.call('TIME')
  -- Deletes the key if the time has passed.
  redis.call('PEXPIRE', state, string.format('%.0f', at - time[1] * 1000 - math.floor(time[2] / 1000)))
elseif ttl == 'none' then
  redis.call('PERSIST', state)
else
  redis.call('PEXPIRE', state, ttl)
end
tell_watchers(prefix_before_stamp(), redis.pcall('GET', watch))
return remember('touched')
