-- Tells the clients that watch an id that its state has changed [E2].
-- While a client watches an id, there is the key `watch:{<id>}`, with a life. Its value is the number of the channel for
-- hints about the id, with `s` after it on a cluster, where clients may listen on a sharded channel or on a plain one.
-- Hints may be lost, so a denied or failing PUBLISH must not stop a change.
-- Expects: state and stamp (the keys), and the library bounds.
-- What all names begin with, where the script is not told.
local function prefix_before_stamp()
  return string.sub(stamp, 1, -1 - (INDEXED and #'index:stamp' or #'stamp'))
end
-- `watched`: what GET or MGET has found there.
local function tell_watchers(prefix, watched)
  local number, sharded = string.match(type(watched) == 'string' and watched or '', '^(%d+)(s?)$')
  if not number then return end
  local channel, message = prefix .. 'changed:' .. number, 'changed ' .. string.sub(state, #prefix + #'state:{' + 1, -2)
  for _, command in ipairs(sharded == 's' and { 'PUBLISH', 'SPUBLISH' } or { 'PUBLISH' }) do
    redis.pcall(command, channel, message)
  end
end
