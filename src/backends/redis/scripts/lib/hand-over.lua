-- Hand-over: the lock goes to the first live waiter, in the step that frees it [L2] [L8] [L10].
-- Expects: lock, state, seen, and the libraries stamp, holder and queue.
-- The winner has a short lease until its first own command, which also removes it from the queue; until then it is
-- parked. A waiter that listens for wakes ("p") is known to be dead if its channel has no subscriber here [L9].
local HAND_OVER_MS = 10000
-- Larger states are not sent with a wake.
local WAKE_BYTES = 2048
-- All walks of a script together are bounded: 1 000 dead waiters take about 5 ms. If there are more, the next ask
-- continues.
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
-- Returns the winner's ticket, first fence, number of fences and lease; nil without a live waiter, or nil and Redis's
-- error. The caller of an acquire gets no wake and its full lease, since its reply reports the grant.
local function hand_over(now, caller)
  while steps_left > 0 do
    steps_left = steps_left - 1
    local ticket = first_waiter()
    if not ticket then return nil end
    local lease, wish, fences = ask_of(ticket, now)
    if not lease then
      leave(ticket)
    else
      local first, failure = reserve(now, seen, fences)
      if not first then return nil, failure end
      if ticket == caller then
        leave(ticket)
        redis.call('SET', lock, value_of(ticket, first, fences), 'PX', lease)
        return ticket, first, fences, lease
      end
      park(ticket, now)
      local client = select(2, parse_holder(ticket .. ' 0')) or ''
      local subscribers, command = subscribers_of(client)
      if subscribers ~= 0 or not string.find(wish, 'p', 1, true) then
        if lease > HAND_OVER_MS then lease = HAND_OVER_MS end
        -- Before the wake, so that it is true wherever it is received [L1].
        redis.call('SET', lock, value_of(ticket, first, fences), 'PX', lease)
        if subscribers ~= 0 then
          local kind, bytes = state_for_wake(wish)
          local head = 'granted ' .. ticket .. ' ' .. text(first) .. ' ' .. fences .. ' ' .. lease
          publish_by(command, client, head .. ' ' .. count_waiters() .. ' ' .. kind .. ' ' .. lock_id() .. '\n' .. bytes)
        end
        return ticket, first, fences, lease
      end
    end
  end
  return nil
end
