-- Describes a state for a listing: the head of its bytes, their number, its remaining time to live.
-- KEYS: state
-- ARGV: none
-- Replies: [the first 128 bytes, length in bytes, remaining ms or -1 for ever], or 0 when it is absent or no string
-- Promises: S6
local head = redis.pcall('GETRANGE', KEYS[1], 0, 127)
if type(head) == 'table' or head == '' then return 0 end
return { head, redis.call('STRLEN', KEYS[1]), redis.call('PTTL', KEYS[1]) }
