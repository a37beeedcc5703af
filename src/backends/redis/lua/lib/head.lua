-- The head of a stored state: `hf1 <revision> <serializer>\n`, then the bytes [S6].
-- Expects: state (the key). Numbers are text wherever a script hands them to Redis: that they are made text of otherwise
-- takes as long as a small command.
local LAST = '127'
local function describe(head)
  local format = string.match(head, '^(hf%d+) ')
  if format and format ~= 'hf1' then return 'format ' .. format end
  return 'data that Holdfast did not write'
end
-- revision and serializer (both nil when it is absent); or a third answer: why it cannot be read.
local function read_head()
  local head = redis.pcall('GETRANGE', state, '0', LAST)
  if type(head) == 'table' then return nil, nil, 'a Redis ' .. redis.call('TYPE', state).ok end
  if head == '' and redis.call('EXISTS', state) == 0 then return nil, nil, nil end
  local revision, serializer = string.match(head, '^hf1 (%d+) ([%w._-]+)\n')
  -- No stamp of ours comes near 2^52 (stamp.lua): such a revision could not rise [S2].
  if not revision or tonumber(revision) >= 4503599627370496 then return nil, nil, describe(head) end
  return tonumber(revision), serializer, nil
end
