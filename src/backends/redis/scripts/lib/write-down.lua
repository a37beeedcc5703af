-- Writes receipts down (lib/receipt.lua).
-- Expects: done (the key), keep, refresh.
-- In the hash: slot -> `<n> <reply>`; and `about`, explained below. The client has the hash renewed in every quarter of
-- keep (refresh is '1' then).
-- By default, a value of more than 64 bytes makes Redis store a hash as a hash table. A small hash is otherwise a list,
-- which would be searched from its beginning, twice per operation.
local ABOUT = 'what this client of Holdfast was answered last, by slot, for its retries'
-- Slots and their new contents, alternating. By pcall, since the operation has already been carried out.
local function write_down(...)
  local new = redis.pcall('HSET', done, ...)
  local is_new = type(new) == 'number' and new > 0
  -- A new field may mean a new hash, which is not a hash table yet, and has no expiry.
  if is_new then redis.pcall('HSET', done, 'about', ABOUT) end
  if refresh == '1' or is_new then redis.call('PEXPIRE', done, keep) end
end
