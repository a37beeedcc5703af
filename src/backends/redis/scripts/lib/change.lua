-- A change of a state: first everything that can refuse it, then the write [S2] [S3] [S6] [S7].
-- Expects: state, kind, serializer, ttl, if_revision, bytes, staged, seen, and the libraries envelope and stamp.
-- `serializer`: the format of the bytes; behind commas, other formats that may be replaced.
-- `ttl`: milliseconds, `keep`, `none`, `new:<milliseconds>` for a new state and `keep` for another, or
-- `until:<milliseconds since 1970>`; a touch has the first, the second but one, or the last. `if_revision`: a revision,
-- `absent`, or empty for any.
local function refusal(revision, written_by, unreadable)
  if unreadable then return 'unreadable ' .. unreadable end
  if if_revision ~= '' or kind == 'touch' then
    local at = revision and text(revision) or 'absent'
    if if_revision ~= '' and if_revision ~= at or not revision and kind == 'touch' then return 'conflict ' .. at end
  end
  if
    kind == 'save'
    and revision
    and written_by ~= serializer
    and not string.find(',' .. serializer .. ',', ',' .. written_by .. ',', 1, true)
  then
    return 'unreadable a state of the serializer "' .. written_by .. '"'
  end
  return nil
end
-- Ends the life of the state at this time, by the server's clock: PEXPIRE deletes the key if it has passed.
local function expire_at(life, now)
  local at = string.match(life, '^until:(%d+)$')
  if at then redis.call('PEXPIRE', state, text(at - math.floor(now / 1000))) end
  return at
end
local NOT_STAGED = 'STAGED the value is not there'
-- A large value was sent ahead, to the key `staged` and with zeros for a revision: it only needs to be renamed. Lua
-- copies and hashes every byte of its strings, which takes ten times as long as everything else. Returns Redis's error,
-- if any.
local function put_in_place(revision_text, life, now)
  -- The client knows why it is missing: not enough memory, or a connection that broke between the two commands.
  if redis.call('STRLEN', staged) == 0 then return { err = NOT_STAGED } end
  if life == 'keep' then life = redis.call('PTTL', state) end
  local written = redis.pcall('SETRANGE', staged, 4, string.rep('0', 16 - #revision_text) .. revision_text)
  if type(written) == 'table' then return written end
  redis.call('RENAME', staged, state)
  if expire_at(life, now) then return nil end
  if life == 'none' or tonumber(life) < 0 then
    redis.call('PERSIST', state)
  else
    redis.call('PEXPIRE', state, life)
  end
  return nil
end
-- Returns the revision as text ('-' for a delete) and as a number, or nil and Redis's error (out of memory: nothing was
-- written). That of a touch is the old one.
-- `stamped`: a stamp reserved for this change, used unless the state's revision is higher; or nil. `head`: where several
-- saves have the same stamp and terms, what stands before their bytes.
local function change(now, revision, stamped, head)
  if kind == 'delete' then
    if INDEXED then redis.call('ZREM', string.sub(stamp, 1, -7), string.sub(state, #stamp - 3, -2)) end
    redis.call('DEL', state)
    return '-'
  end
  if kind == 'touch' then
    if ttl == 'none' then
      redis.call('PERSIST', state)
    elseif not expire_at(ttl, now) then
      redis.call('PEXPIRE', state, ttl)
    end
    return text(revision), revision
  end
  local floor = seen
  if revision and revision > floor then floor = revision end
  if not stamped or stamped <= floor then
    local failure
    stamped, failure = reserve(now, floor, 1)
    if not stamped then return nil, failure end
  end
  -- Before the state itself, so that a key that is no index stops both. `stamp` is `<prefix>index:stamp`, `state` is
  -- `<prefix>state:{<id>}`. Entries of states that expire are left: listings remove them.
  if INDEXED and not revision then
    redis.call('ZADD', string.sub(stamp, 1, -7), '0', string.sub(state, #stamp - 3, -2))
  end
  local life = ttl
  if life ~= 'keep' and string.sub(life, 1, 4) == 'new:' then life = revision and 'keep' or string.sub(life, 5) end
  if staged ~= '' then
    local failure = put_in_place(text(stamped), life, now)
    if failure then return nil, failure end
    return text(stamped), stamped
  end
  local revision_text = head and '' or text(stamped)
  local value = (head or 'hf1 ' .. revision_text .. ' ' .. string.match(serializer, '^[^,]*') .. '\n') .. bytes
  if life == 'keep' then
    redis.call('SET', state, value, 'KEEPTTL')
  elseif life == 'none' then
    redis.call('SET', state, value)
  elseif string.sub(life, 1, 1) == 'u' then
    redis.call('SET', state, value)
    expire_at(life, now)
  else
    redis.call('SET', state, value, 'PX', life)
  end
  return revision_text, stamped
end
