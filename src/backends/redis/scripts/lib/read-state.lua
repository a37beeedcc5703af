-- Reads the state for a grant. Expects: state (the key). Returns its bytes, or false and the type of what is there.
local function read_state()
  local value = redis.pcall('GET', state)
  if type(value) == 'table' then return false, redis.call('TYPE', state).ok end
  return value, nil
end
