-- Locks that several tickets hold: shared locks [L12] and semaphores [L13].
-- While there are such holders, the value of the lock's key is the marker `shared <generation>`, and it expires when
-- the last of their leases ends, or later. The hash `sharing` has who they are:
--   <ticket>: `<expires> <first fence> <last fence> <weight>`
--   generation: that of the marker, which is the first fence of the first of them
--   used: the sum of their weights
--   first: `<expires> <ticket>` of the lease that ends first. Leases may have been renewed and shares released since:
--     then it is a lower bound
--   until: when the key of the lock expires
--   limit, created: only of a semaphore, also while it has no holders
-- The lock's key decides alone [L11]: without it, or with another generation in it, the tickets in the hash hold nothing.
-- A marker without a hash of its generation excludes everybody until it expires, as a foreign token does: the tickets
-- that the hash named may still rely on their leases.
-- Times are microseconds by the server's clock. Every change begins with a command that needs no memory.
-- Expects: lock, sharing (keys), and the libraries bounds and stamp.
-- The functions are made by with_shares(), when a script first needs them: making so many takes longer than a command.
-- What is known about the current operation's lock; see load_shares().
local shares
local function is_marker(held)
  return held and string.find(held, '^shared %d+$') ~= nil
end
-- `r1` (shared) or `w<weight>` (permits) at the end of a wish: r or w, and the weight. Nil for an exclusive ask.
local function share_of(wish)
  local kind, weight = string.match(wish, '([rw])(%d+)$')
  return kind, tonumber(weight)
end
local function make_share_functions()
  -- The parts of a hash with more fields than Lua can unpack at once.
  local PART = 1000
  -- expires, first fence, last fence, weight; nil for anything else.
  local function parse_share(entry)
    local expires, first, last, weight = string.match(entry or '', '^(%d+) (%d+) (%d+) (%d+)$')
    if not expires then return nil end
    return tonumber(expires), tonumber(first), tonumber(last), tonumber(weight)
  end
  local function take_over(held, found)
    local generation, used, ends = found[1], tonumber(found[2]), tonumber(found[4])
    local first, first_ticket = string.match(found[3] or '', '^(%d+) (%S+)$')
    local limit, created = tonumber(found[5]), tonumber(found[6])
    local is_held = held and held == 'shared ' .. (generation or '') and used and first and ends and true or false
    shares = {
      is_held = is_held,
      used = is_held and used or 0,
      first = tonumber(first),
      first_ticket = first_ticket,
      ends = ends,
      limit = limit and created and limit,
      created = limit and created,
      own = is_held and found[7],
      -- Tickets that hold nothing any more.
      has_stale = generation and not is_held,
    }
  end
  -- Reads the hash. `held`: the value of the lock's key; `ticket`: whose share will be asked for, or ''.
  local function load_shares(held, ticket)
    take_over(held, redis.call('HMGET', sharing, 'generation', 'used', 'first', 'until', 'limit', 'created', ticket))
  end
  -- The same for a free lock, after the first write. Returns whether it is a hash.
  local function try_load()
    local found = redis.pcall('HMGET', sharing, 'generation', 'used', 'first', 'until', 'limit', 'created')
    if found.err then return false end
    take_over(false, found)
    return true
  end
  local function keep_for(ms)
    redis.call('PEXPIRE', sharing, text(shares.limit and ms + SEMAPHORE_KEEP_MS or ms))
  end
  local function ms_until(time, now)
    return math.ceil((time - now) / 1000)
  end
  -- The last holder has left.
  local function end_sharing()
    shares.is_held, shares.used, shares.has_stale = false, 0, false
    if not shares.limit then
      redis.call('DEL', lock, sharing)
    else
      redis.call('DEL', lock)
      redis.call('HDEL', sharing, 'generation')
    end
  end
  local function forget_tickets(tickets)
    for at = 1, #tickets, PART do
      redis.call('HDEL', sharing, unpack(tickets, at, math.min(at + PART - 1, #tickets)))
    end
  end
  -- Calls use(ticket, expires, first, last, weight) for each holder.
  local function each_share(use)
    local fields = redis.call('HGETALL', sharing)
    for at = 1, #fields, 2 do
      if string.find(fields[at], ':', 1, true) then use(fields[at], parse_share(fields[at + 1])) end
    end
  end
  -- Looks at all holders: removes those whose leases are over, and finds the lease that ends first.
  local function look_at_all(now)
    local over, used, first, first_ticket, first_fence = {}, 0, nil, nil, nil
    each_share(function(ticket, expires, fence, _, weight)
      if not expires or expires <= now then
        over[#over + 1] = ticket
      else
        used = used + weight
        if not first or expires < first or expires == first and fence < first_fence then
          first, first_ticket, first_fence = expires, ticket, fence
        end
      end
    end)
    forget_tickets(over)
    if not first then return end_sharing() end
    shares.used, shares.first, shares.first_ticket = used, first, first_ticket
    -- If nothing was removed, this needs memory, and can be done without.
    redis.pcall('HSET', sharing, 'used', text(used), 'first', text(first) .. ' ' .. first_ticket)
  end
  local function remove_expired(now)
    if shares.is_held and shares.first <= now then look_at_all(now) end
  end
  -- The share of the ticket that was loaded with the rest: first fence, last fence, weight; nil if it has none, or its lease
  -- is over.
  local function own_share(now)
    local expires, first, last, weight = parse_share(shares.own)
    if not expires or expires <= now then return nil end
    return first, last, weight
  end
  -- Whether a live share of that kind and weight can be added. `is_free`: the lock's key is not there.
  local function has_room(kind, weight, is_free)
    if not is_free and not shares.is_held then return false end
    if kind == 'r' then return true end
    return shares.limit and weight <= shares.limit - shares.used
  end
  local function share_text(expires, first, last, weight)
    return text(expires) .. ' ' .. text(first) .. ' ' .. text(last) .. ' ' .. text(weight)
  end
  -- The new lease is in the hash. Returns the fields that say when the first and the last lease end.
  local function note_lease(ticket, expires, fields)
    if not shares.first or expires < shares.first then
      shares.first, shares.first_ticket = expires, ticket
      fields[#fields + 1] = 'first'
      fields[#fields + 1] = text(expires) .. ' ' .. ticket
    end
    if not shares.ends or expires > shares.ends then
      shares.ends = expires
      fields[#fields + 1] = 'until'
      fields[#fields + 1] = text(expires)
    end
    return fields
  end
  local function add_share(now, ticket, lease, first, last, weight)
    local expires = now + lease * 1000
    local fields = { ticket, share_text(expires, first, last, weight) }
    if not shares.is_held then
      if shares.has_stale then
        redis.call('DEL', sharing)
        if shares.limit then fields[3], fields[4], fields[5], fields[6] = 'limit', text(shares.limit), 'created', text(shares.created) end
      end
      shares.is_held, shares.used, shares.first, shares.ends, shares.has_stale = true, 0, nil, nil, false
      redis.call('SET', lock, 'shared ' .. text(first), 'PX', text(lease))
      fields[#fields + 1] = 'generation'
      fields[#fields + 1] = text(first)
    elseif expires > shares.ends then
      redis.call('PEXPIRE', lock, text(lease))
    end
    shares.used = shares.used + weight
    fields[#fields + 1] = 'used'
    fields[#fields + 1] = text(shares.used)
    local before = shares.ends
    redis.call('HSET', sharing, unpack(note_lease(ticket, expires, fields)))
    if shares.ends ~= before then keep_for(lease) end
  end
  -- Gives a share its full lease from now on.
  local function renew_share(now, ticket, lease, first, last, weight)
    local expires = now + lease * 1000
    local ends = math.max(expires, shares.ends)
    redis.call('PEXPIRE', lock, text(ms_until(ends, now)))
    redis.call('HSET', sharing, unpack(note_lease(ticket, expires, { ticket, share_text(expires, first, last, weight) })))
    keep_for(ms_until(ends, now))
  end
  local function remove_share(ticket, weight)
    shares.used = shares.used - weight
    if shares.used > 0 then
      redis.call('HDEL', sharing, ticket)
      redis.call('HSET', sharing, 'used', text(shares.used))
    else
      if shares.limit then redis.call('HDEL', sharing, ticket) end
      end_sharing()
    end
  end
  return {
    parse = parse_share,
    load = load_shares,
    try_load = try_load,
    keep_for = keep_for,
    ms_until = ms_until,
    look_at_all = look_at_all,
    each = each_share,
    remove_expired = remove_expired,
    own = own_share,
    has_room = has_room,
    text_of = share_text,
    add = add_share,
    renew = renew_share,
    remove = remove_share,
  }
end
local share_functions
local function with_shares()
  share_functions = share_functions or make_share_functions()
  return share_functions
end
