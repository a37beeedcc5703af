-- Asks for what is not simply free. An ask for a share comes here in any case.
-- Expects: base, ticket, lease, fences (a number), wish and reserved_fence of the current operation, now, seen, and the
-- libraries bounds, stamp, read-state, holder, queue, shares and hand-over. Gives: ask(), and limit, which an ask for a
-- share sets: '' for a shared lock, and for permits the number that the caller takes the limit to be, or '-'.
local limit
local function granted(first, number, lease_ms)
  local reply = { 'granted', first, number, lease_ms, count_waiters() }
  if string.find(wish, 's', 1, true) then reply[6], reply[7] = read_state() end
  return reply
end
-- The number of subscribers to the channel of the client that asks; -1 if it is not permitted to ask.
local known_subscribers
local function count_subscribers()
  known_subscribers = known_subscribers or (subscribers_of(string.match(base, ':(%x+):$') or '')) or -1
  return known_subscribers
end
-- Records the ask. A ticket in the queue keeps its place, whether or not it asks to join. Returns whether it is new
-- there, or was passed over; or nil and Redis's error.
local function note_ask(score)
  local place = string.match(redis.call('HGET', asks, ticket) or '', ' (%d+)$')
  if not place or tonumber(place) >= LAST then
    local stamped, refused = reserved_fence, nil
    if not stamped then stamped, refused = reserve(now, seen, 1) end
    if not stamped then return nil, refused end
    place = text(stamped)
  end
  redis.call('HSET', asks, ticket, text(now) .. ' ' .. lease .. ' ' .. wish .. ' ' .. fences .. ' ' .. place)
  redis.call('ZADD', queue, place, ticket)
  -- Waiters ask every few seconds; without any, both keys expire.
  redis.call('PEXPIRE', asks, '30000')
  redis.call('PEXPIRE', queue, '30000')
  return not (score and tonumber(score) < BEYOND)
end
-- What only asks that concern shares need, made as in shares.lua.
local function make_share_asks()
  local S = with_shares()
  -- Whether an ask for permits suits the semaphore. The first one makes it.
  local function suits(weight)
    local asked = tonumber(limit)
    if shares.limit then
      if weight > shares.limit then return false end
      -- A ticket that waits may have been right when it came.
      return not asked or asked == shares.limit or asked == shares.created or ask_of(ticket, now)
    end
    if not asked or weight > asked then return false end
    redis.call('HSET', sharing, 'limit', limit, 'created', limit)
    shares.limit, shares.created = asked, asked
    S.keep_for(0)
    return true
  end
  -- The holder whose lease ends first, in the form of a lock's value; its remaining lease in ms; how many there are.
  local NOT_TICKETS, NOT_TICKETS_OF_SEMAPHORE = 4, 6
  local function soonest()
    local expires, first, last = S.parse(redis.call('HGET', sharing, shares.first_ticket))
    if expires ~= shares.first then
      S.look_at_all(now)
      expires, first, last = S.parse(redis.call('HGET', sharing, shares.first_ticket))
    end
    local count = redis.call('HLEN', sharing) - (shares.limit and NOT_TICKETS_OF_SEMAPHORE or NOT_TICKETS)
    return value_of(shares.first_ticket, first, last - first + 1), S.ms_until(expires, now), count
  end
  -- Notifies all holders of a shared lock that an exclusive ask waits, except those that were handed it just now: they are
  -- notified with their grants.
  local function notify_sharers(handed)
    local is_new = {}
    for _, one in ipairs(handed) do is_new[one.ticket] = true end
    S.each(function(holder)
      if not is_new[holder] then wake(select(2, parse_holder(holder .. ' 0')) or '', 'wanted ' .. holder .. ' ' .. lock_id()) end
    end)
  end
  -- Reads the holders, for an ask that concerns them. Returns a reply if the ticket is one of them, or its ask does not suit
  -- the semaphore; otherwise nil, and the lock's value, which is false if the last lease is over.
  local function consider_shares(held, kind, weight)
    S.load(held, ticket)
    S.remove_expired(now)
    local first, last, own_weight = S.own(now)
    if first then
      leave(ticket)
      S.renew(now, ticket, tonumber(lease), first, last, own_weight)
      return granted(first, last - first + 1, tonumber(lease))
    end
    if is_marker(held) and not shares.is_held and not redis.call('GET', lock) then held = false end
    if kind == 'w' and not suits(weight) then
      leave(ticket)
      if not held or shares.is_held then serve(now, nil, not held) end
      return { 'mismatch', shares.limit or -1, shares.created or -1 }
    end
    return nil, held
  end
  -- Grants the share to a ticket that is not in the queue.
  local function grant_share(weight, first)
    local refused
    if not first then first, refused = reserve(now, seen, fences) end
    if not first then return nil, refused end
    S.add(now, ticket, tonumber(lease), first, first + fences - 1, weight)
    return first
  end
  return { consider = consider_shares, grant = grant_share, soonest = soonest, notify = notify_sharers }
end
local share_asks
local function with_share_asks()
  share_asks = share_asks or make_share_asks()
  return share_asks
end
local function ask()
  shares = nil
  local held = redis.call('GET', lock)
  if is_held_by(held, ticket) then
    local _, _, first, last = parse_holder(held)
    leave(ticket)
    redis.call('PEXPIRE', lock, lease)
    return granted(first, last - first + 1, tonumber(lease))
  end
  local kind, weight = share_of(wish)
  if kind or is_marker(held) then
    local reply
    reply, held = with_share_asks().consider(held, kind, weight)
    if reply then return reply end
    if kind and with_shares().has_room(kind, weight, not held) and redis.call('EXISTS', queue) == 0 then
      local first, refused = with_share_asks().grant(weight, reserved_fence)
      if not first then return refused end
      if not string.find(wish, 's', 1, true) then return first end
      return { first, read_state() }
    end
  end
  local score = redis.call('ZSCORE', queue, ticket)
  local joins, is_new = score or string.find(wish, 'q', 1, true), false
  local subscribers
  if joins then
    if string.find(wish, 'p', 1, true) then subscribers = count_subscribers() end
    -- Its client asks often from now on, which shows that it is alive although its channel has no subscriber.
    if subscribers and subscribers < 1 then wish = 'q' .. string.gsub(wish, '[pq]', '') end
    local refused
    is_new, refused = note_ask(score)
    if refused then return refused end
  end
  if is_new then
    -- Each new waiter removes up to two that were parked and never asked again.
    local long_parked = redis.call('ZRANGEBYSCORE', queue, text(BEYOND), text(BEYOND + now - ASK_LIMIT), 'LIMIT', '0', '2')
    for _, dead in ipairs(long_parked) do leave(dead) end
  end
  local ahead
  if held and not (shares and shares.is_held) then
    if joins then ahead = redis.call('ZRANK', queue, ticket) end
    -- With others before this one, the holder was notified when the first of them came, or with its grant.
    local holder, client
    if is_new and ahead == 0 then holder, client = parse_holder(held) end
    if holder then wake(client, 'wanted ' .. holder .. ' ' .. lock_id()) end
  else
    -- Free with a queue: the holder died. Or held in shares: there may be room for more.
    local own, handed, refused = serve(now, ticket, not held)
    if own then return granted(own.first, own.fences, own.lease) end
    if refused then return refused end
    held = redis.call('GET', lock)
    local is_shared, next_waiter = shares and shares.is_held, first_waiter()
    if not next_waiter and kind and with_shares().has_room(kind, weight, not held) then
      local first
      first, refused = with_share_asks().grant(weight)
      if not first then return refused end
      return granted(first, fences, tonumber(lease))
    elseif not next_waiter and not held and not kind then
      local first
      first, refused = reserve(now, seen, fences)
      if not first then return refused end
      redis.call('SET', lock, value_of(ticket, first, fences), 'PX', lease)
      return granted(first, fences, tonumber(lease))
    elseif not held or steps_left == 0 then
      -- There are more waiters than one walk may visit: the next ask continues, at once.
      return { joins and 'waiting' or 'busy', (next_waiter or ticket) .. ' 0', 1, 0, subscribers }
    end
    if joins then ahead = redis.call('ZRANK', queue, ticket) end
    if is_shared and not shares.limit and is_new and ahead == 0 then with_share_asks().notify(handed) end
  end
  local status, others = joins and 'waiting' or 'busy', ahead or count_waiters()
  if shares and shares.is_held then
    local holder, left, count = with_share_asks().soonest()
    return { status, holder, left, others, subscribers or -1, count }
  end
  return { status, held, redis.call('PTTL', lock), others, subscribers }
end
