-- Reads a state with its remaining time to live. If that is not needed, the client sends a plain GET.
-- KEYS: state
-- ARGV: none
-- Replies: [bytes or null, remaining ms or -1 if it never expires]
-- Promises: S1 S6
return { redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1]) }
