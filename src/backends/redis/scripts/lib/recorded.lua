-- What a receipt contains: `<n> <reply>`.
local function number_of(record)
  return tonumber(string.match(record or '', '^%d+')) or -1
end
-- Whether a recorded reply ends its ticket. A refusal, recorded for a retry, does not.
local function is_end(reply)
  local word = string.match(reply, '^%a+')
  return word == 'released' or word == 'kept' or word == 'cancelled' or word == 'forgotten'
end
