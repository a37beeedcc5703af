-- Whether a live ticket waits. Expects: the library queue.
-- A walk over dead waiters is bounded; while there are more, somebody waits.
local function somebody_waits(now)
  for _ = 1, 1000 do
    local first = first_waiter()
    if not first then return false end
    if ask_of(first, now) then return true end
    leave(first)
  end
  return true
end
