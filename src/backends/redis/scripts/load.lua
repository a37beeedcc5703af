-- Reads a state together with its remaining time to live. Where that is not wanted, the client sends a plain GET.
-- KEYS: state
-- ARGV: none
-- Replies: [bytes or null, remaining ms or -1 for ever]
-- Promises: S1 S6
return { redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1]) }
