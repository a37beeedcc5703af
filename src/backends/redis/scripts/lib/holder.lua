-- The holder of a lock. Its value is `<ticket> <fence>`, or `<ticket> <first fence> <last fence>` if more are reserved.
-- Any other text is the token of a foreign client that uses `SET key token NX PX` [L11].
local function is_held_by(value, ticket)
  return value and string.sub(value, 1, #ticket + 1) == ticket .. ' '
end
local function value_of(ticket, first, count)
  if count == 1 then return ticket .. ' ' .. text(first) end
  return ticket .. ' ' .. text(first) .. ' ' .. text(first + count - 1)
end
-- ticket, client id, first and last fence; nil for a foreign token.
local function parse_holder(value)
  local ticket, client, first, last = string.match(value, '^(%S+:%d+:(%x+):%d+) (%d+) ?(%d*)$')
  if not ticket then return nil end
  if last == '' then last = first end
  return ticket, client, tonumber(first), tonumber(last)
end
