-- The keys of the operation at hand, made of its id. A script that serves many does not declare them: twenty bytes of id
-- instead of a hundred of keys are sent, parsed and copied, and the keys of rare cases are not made at all.
-- Expects: prefix.
local lock, queue, asks, state
local lock_start, queue_start = prefix .. 'lock:{', prefix .. 'queue:{'
-- What every operation needs.
local function aim(id)
  lock, queue = lock_start .. id .. '}', queue_start .. id .. '}'
end
-- The state, too.
local function aim_at_state(id)
  state = prefix .. 'state:{' .. id .. '}'
end
-- And the rest, for those that meet a queue.
local function aim_at_all(id)
  aim(id)
  aim_at_state(id)
  asks = prefix .. 'asks:{' .. id .. '}'
end
