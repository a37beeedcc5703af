-- Whether the ticket of an ask was released or cancelled [S5]. `record`: the content of its slot; `n`: of the receipt that
-- its first release carries. Expects: the library recorded.
local function is_settled(record, n)
  local recorded = number_of(record)
  if recorded ~= n then return recorded > n end
  return is_end(string.match(record, '^%d+ (.*)') or '')
end
