-- The head of a stored state: `hf1 <revision> <format>\n`, then the bytes [S6].
-- Expects: state (the key), and the library bounds. Numbers are passed to Redis as text: Redis's own conversion takes
-- as long as a small command.
local HEAD_END = '127'
local function describe(head)
  local format = string.match(head, '^(hf%d+) ')
  if format and format ~= 'hf1' then return 'format ' .. format end
  return 'data that Holdfast did not write'
end
-- A conversion takes as long as a short command, and states that were saved in one call have the same revision.
local read_revision, read_number
-- Returns revision and format (both nil if it is absent); or a third result: why it cannot be read.
local function read_head()
  local head = redis.pcall('GETRANGE', state, '0', HEAD_END)
  if type(head) == 'table' then return nil, nil, 'a Redis ' .. redis.call('TYPE', state).ok end
  if head == '' and redis.call('EXISTS', state) == 0 then return nil, nil, nil end
  local revision, format = string.match(head, '^hf1 (%d+) ([%w._@-]+)\n')
  -- Holdfast never makes a revision after which none could rise [S2].
  if revision ~= read_revision then read_revision, read_number = revision, tonumber(revision) end
  if not revision or read_number >= LAST then return nil, nil, describe(head) end
  return read_number, format, nil
end
