-- Hand-over: the lock goes to the first live waiter, in the step that frees it [L2] [L8] [L10]. If that waiter shares it,
-- the next one may get it as well, and so on: the queue is served while its head fits [L12] [L13].
-- Expects: lock, state, seen, and the libraries stamp, holder, shares and queue.
-- A winner has a short lease until its first own command, which also removes it from the queue; until then it is
-- parked. A waiter that listens for wakes ("p") is known to be dead if its channel has no subscriber here [L9].
local HAND_OVER_MS = 10000
-- Larger states are not sent with a wake.
local WAKE_BYTES = 2048
-- All walks of a script together are bounded: 1 000 dead waiters take about 5 ms. If there are more, or more that the
-- lock is handed to, the next ask continues.
local steps_left = 1000
local function lock_id()
  return string.match(lock, 'lock:{(.*)}$')
end
local function channel_of(client)
  return string.match(lock, '^(.-)lock:{') .. 'wake:' .. client
end
-- On a cluster, the client replaces this line (script-editions.ts): channels are sharded there, and plain before Redis 7.
local ON_CLUSTER = false
-- The number of subscribers to a client's channel on this server, and the command that reaches them; nil if it is not
-- permitted to ask. The reply of PUBLISH is less useful: it also counts patterns, such as the `*` of a monitoring tool,
-- and does not count subscribers on replicas and on other nodes of a cluster, which also get the message.
local function subscribers_of(client)
  if ON_CLUSTER then
    local sharded = redis.pcall('PUBSUB', 'SHARDNUMSUB', channel_of(client))[2]
    if sharded and sharded > 0 then return sharded, 'SPUBLISH' end
  end
  return redis.pcall('PUBSUB', 'NUMSUB', channel_of(client))[2], 'PUBLISH'
end
-- Wakes are hints: a denied or failing PUBLISH must not stop a release.
local function publish_by(command, client, message)
  redis.pcall(command, channel_of(client), message)
end
local function wake(client, message)
  local subscribers, command = subscribers_of(client)
  if subscribers ~= 0 then publish_by(command, client, message) end
end
-- `-`: omitted; `a`: absent; `s`: with the bytes as stored.
local function state_for_wake(wish)
  if not string.find(wish, 's', 1, true) then return '-', '' end
  local size = redis.pcall('STRLEN', state)
  if type(size) == 'table' or size > WAKE_BYTES then return '-', '' end
  local value = redis.call('GET', state)
  if value then return 's', value end
  return 'a', ''
end
-- Whether the ask of the first waiter fits. `is_free`: the lock's key is not there. Nil if it waits for permits of a
-- semaphore that is gone.
local function fits(wish, is_free)
  local kind, weight = share_of(wish)
  if not kind then return is_free end
  -- What is wrong with the hash is reported to the next ask; the step that frees the lock goes on.
  if not shares and load_shares(false, '') then return false end
  if kind == 'w' and not shares.limit then return nil end
  return has_room(kind, weight, is_free)
end
local function send_back(ticket)
  leave(ticket)
  wake(select(2, parse_holder(ticket .. ' 0')) or '', 'ask ' .. ticket .. ' ' .. lock_id())
end
local function take(ticket, now, ask)
  local kind, weight = share_of(ask.wish)
  if kind then
    add_share(now, ticket, ask.lease, ask.first, ask.first + ask.fences - 1, weight)
  else
    redis.call('SET', lock, value_of(ticket, ask.first, ask.fences), 'PX', text(ask.lease))
  end
  return not kind
end
local function wake_all(handed)
  if #handed == 0 then return end
  local waiting = count_waiters()
  for _, one in ipairs(handed) do
    if one.subscribers ~= 0 then
      local kind, bytes = state_for_wake(one.wish)
      local head = 'granted ' .. one.ticket .. ' ' .. text(one.first) .. ' ' .. one.fences .. ' ' .. one.lease
      publish_by(one.command, one.client, head .. ' ' .. waiting .. ' ' .. kind .. ' ' .. lock_id() .. '\n' .. bytes)
    end
  end
end
-- Serves the queue. The lock must not be held exclusively; `is_free`: its key is not there. Returns the grant of the
-- caller (first, fences, lease) if it got one, the grants of others, and Redis's error if there was no memory for more.
-- The caller of an acquire gets no wake and its full lease, since its reply reports the grant.
local function serve(now, caller, is_free)
  local own, handed, failure = nil, {}, nil
  while steps_left > 0 do
    steps_left = steps_left - 1
    local ticket = first_waiter()
    if not ticket then break end
    local lease, wish, fences = ask_of(ticket, now)
    local has_place = lease and fits(wish, is_free)
    if not lease then
      leave(ticket)
    elseif has_place == nil then
      send_back(ticket)
    elseif not has_place then
      break
    else
      local first, refused = reserve(now, seen, fences)
      if not first then
        failure = refused
        break
      end
      local ask, is_exclusive = { ticket = ticket, lease = lease, wish = wish, fences = fences, first = first }, false
      if ticket == caller then
        leave(ticket)
        is_exclusive, is_free = take(ticket, now, ask), false
        own = ask
      else
        park(ticket, now)
        ask.client = select(2, parse_holder(ticket .. ' 0')) or ''
        ask.subscribers, ask.command = subscribers_of(ask.client)
        if ask.subscribers ~= 0 or not string.find(wish, 'p', 1, true) then
          if lease > HAND_OVER_MS then ask.lease = HAND_OVER_MS end
          -- Before the wake, so that it is true wherever it is received [L1].
          is_exclusive, is_free = take(ticket, now, ask), false
          handed[#handed + 1] = ask
        end
      end
      if is_exclusive then break end
    end
  end
  wake_all(handed)
  return own, handed, failure
end
