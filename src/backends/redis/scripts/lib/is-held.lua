-- Whether a lock has a holder whose lease is not over. Expects: lock, and the library shares.
local function is_held(now)
  local held = redis.pcall('GET', lock)
  -- What is no string is not free either.
  if type(held) ~= 'string' or not is_marker(held) then return held end
  with_shares().load(held, '')
  if not shares.is_held then return true end
  with_shares().remove_expired(now)
  return shares.is_held
end
