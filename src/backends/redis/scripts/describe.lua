-- Describes a state for a listing: the head of its bytes, their number, and its remaining time to live.
-- KEYS: state
-- ARGV: none
-- Replies: [the first 128 bytes, length in bytes, remaining ms or -1 if it never expires], 0 if it is absent, or its type
-- if it is not a string
-- Promises: S6
local head = redis.pcall('GETRANGE', KEYS[1], 0, 127)
if type(head) == 'table' then return redis.call('TYPE', KEYS[1]).ok end
if head == '' and redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
return { head, redis.call('STRLEN', KEYS[1]), redis.call('PTTL', KEYS[1]) }
