-- The keys of the current operation, made from its id. A script that serves many does not declare them: twenty bytes of
-- id instead of a hundred bytes of keys are sent, parsed and copied, and the keys for rare cases are made only when
-- needed. Expects: prefix. Gives: lock, queue, asks, state, sharing, and what the names of locks and queues begin with.
local lock, queue, asks, state, sharing
local lock_start, queue_start = prefix .. 'lock:{', prefix .. 'queue:{'
local function set_state_key(id)
  state = prefix .. 'state:{' .. id .. '}'
end
-- All keys, for an operation on a lock with a queue, or with several holders.
local function set_all_keys(id)
  lock, queue, asks = lock_start .. id .. '}', queue_start .. id .. '}', prefix .. 'asks:{' .. id .. '}'
  sharing = prefix .. 'holders:{' .. id .. '}'
  set_state_key(id)
end
