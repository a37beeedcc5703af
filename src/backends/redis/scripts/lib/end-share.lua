-- Ends the share of a ticket, and then serves the queue [L6] [L12] [L13].
-- Expects: queue (key), and the libraries shares, queue and hand-over.
local is_queued
-- `held`: the value of the lock's key. `may_end(first, last)`, if given, is asked before the first write, with the
-- fences. Returns whether the ticket had a share, which is ended then.
local function end_share(held, ticket, now, may_end)
  if not is_marker(held) then return false end
  local S = with_shares()
  S.load(held, ticket)
  local first, last, weight = S.own(now)
  if not first or may_end and not may_end(first, last) then return false end
  -- Types are checked before the first write.
  is_queued = redis.call('ZCARD', queue) > 0
  if is_queued then leave(ticket) end
  S.remove_expired(now)
  S.remove(ticket, weight)
  return true
end
local function serve_after_share(now)
  if is_queued then serve(now, nil, not shares.is_held) end
end
