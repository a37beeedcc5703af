-- Tells the clients that watch an id that its state has changed [E2].
-- While a client watches an id, there is the key `watch:{<id>}`, with a life. Its value is the number of the channel for
-- hints about the id, with `s` after it on a cluster, where clients may listen on a sharded channel or on a plain one.
-- Hints may be lost, so a denied or failing PUBLISH must not stop a change.
-- `watched`: what was read from the key, or false.
local function tell_watchers(prefix, id, watched)
  local number, sharded = string.match(watched or '', '^(%d+)(s?)$')
  if not number then return end
  local channel, message = prefix .. 'changed:' .. number, 'changed ' .. id
  for _, command in ipairs(sharded == 's' and { 'PUBLISH', 'SPUBLISH' } or { 'PUBLISH' }) do
    redis.pcall(command, channel, message)
  end
end
-- What the key says; false if it is not there.
local function read_watch(watch)
  local watched = redis.pcall('GET', watch)
  return type(watched) == 'string' and watched
end
-- From the names of keys: a script whose keys are declared knows neither.
local function prefix_of(stamp)
  return string.sub(stamp, 1, -1 - #'stamp')
end
local function id_of(state, stamp)
  return string.sub(state, #prefix_of(stamp) + #'state:{' + 1, -2)
end
