-- Renews the share of a ticket [L5] [L12] [L13].
-- Expects: ticket, lease and now, and the libraries shares and queue.
-- `held`: the value of the lock's key. Returns 1 (renewed) or 0 (it has none).
local function keep_share(held)
  if not is_marker(held) then return 0 end
  local S = with_shares()
  S.load(held, ticket)
  local first, last, weight = S.own(now)
  if not first then return 0 end
  -- The first command after a hand-over confirms it.
  if redis.call('ZCARD', queue) > 0 then leave(ticket) end
  S.renew(now, ticket, tonumber(lease), first, last, weight)
  return 1
end
