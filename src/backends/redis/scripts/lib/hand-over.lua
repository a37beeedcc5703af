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
-- Its next ask finds out that it waits for more permits than there are, or for those of a semaphore that is gone.
local function send_back(ticket)
  leave(ticket)
  wake(select(2, parse_holder(ticket .. ' 0')) or '', 'ask ' .. ticket .. ' ' .. lock_id())
end
-- Whether the share that the first waiter asks for fits. Nil if it never will: its semaphore is gone, or was made again
-- with fewer permits.
local function share_fits(kind, weight, is_free)
  -- What is wrong with the hash is reported to the next ask; the step that frees the lock goes on.
  if not shares and not with_shares().try_load() then return false end
  if kind == 'w' and (not shares.limit or weight > shares.limit) then return nil end
  return with_shares().has_room(kind, weight, is_free)
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
    local kind, weight, has_place = nil, nil, is_free
    if lease then kind, weight = share_of(wish) end
    if kind then has_place = share_fits(kind, weight, is_free) end
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
      local is_own, client, subscribers, command = ticket == caller, nil, nil, nil
      if is_own then
        leave(ticket)
      else
        park(ticket, now)
        client = select(2, parse_holder(ticket .. ' 0')) or ''
        subscribers, command = subscribers_of(client)
        if lease > HAND_OVER_MS then lease = HAND_OVER_MS end
      end
      if is_own or subscribers ~= 0 or not string.find(wish, 'p', 1, true) then
        -- Before the wake, so that it is true wherever it is received [L1].
        if kind then
          with_shares().add(now, ticket, lease, first, first + fences - 1, weight)
        else
          redis.call('SET', lock, value_of(ticket, first, fences), 'PX', text(lease))
        end
        is_free = false
        local grant = { ticket = ticket, first = first, fences = fences, lease = lease, wish = wish }
        grant.client, grant.subscribers, grant.command = client, subscribers, command
        if is_own then own = grant else handed[#handed + 1] = grant end
        if not kind then break end
      end
    end
  end
  for _, grant in ipairs(handed) do
    if grant.subscribers ~= 0 then
      local kind, bytes = state_for_wake(grant.wish)
      local head = 'granted ' .. grant.ticket .. ' ' .. text(grant.first) .. ' ' .. grant.fences .. ' ' .. grant.lease
      publish_by(grant.command, grant.client, head .. ' ' .. count_waiters() .. ' ' .. kind .. ' ' .. lock_id() .. '\n' .. bytes)
    end
  end
  return own, handed, failure
end
