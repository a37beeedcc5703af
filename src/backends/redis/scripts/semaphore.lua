-- Sets the limit of a semaphore, or deletes it [L13]. Holders finish, even above the limit. Queued asks that are heavier
-- than the limit are removed, and their tickets are woken to ask again; then the queue is served.
-- KEYS: lock queue asks stamp done state sharing
-- ARGV: slot n proof keep refresh seen limit created
--   slot … refresh: see release.lua; limit: empty to delete it; created: what a new one is created with, or empty: none
--   is made
-- Replies: 'resized', 'removed', 'absent', 'busy' (a ticket holds or waits; both: nothing was done), 'forgotten', or
--   the recorded reply of the first attempt
-- Promises: S5 L2 L8 L9 L13
local lock, queue, asks, stamp, done, state = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local sharing = KEYS[7]
local slot, n, proof, keep, refresh = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local seen, limit, created = tonumber(ARGV[6]), ARGV[7], ARGV[8]
-- @include recorded
-- @include write-down
-- @include receipt
-- @include bounds
-- @include stamp
-- @include holder
-- @include queue
-- @include somebody-waits
-- @include shares
-- @include hand-over
local known = recall(redis.call('HGET', done, slot))
if known then return known end
local held, now = redis.call('GET', lock), clock()
-- Types are checked before the first write.
redis.call('ZCARD', queue)
redis.call('HLEN', asks)
local S = with_shares()
S.load(held, '')
S.remove_expired(now)
if limit == '' then
  if not shares.limit then return refuse('absent') end
  if shares.is_held or redis.call('EXISTS', lock) == 1 or somebody_waits(now) then return refuse('busy') end
  redis.call('DEL', sharing)
  return remember('removed')
end
if not shares.limit and created == '' then return refuse('absent') end
shares.limit, shares.created = tonumber(limit), shares.created or tonumber(created)
redis.call('HSET', sharing, 'limit', limit, 'created', text(shares.created))
S.keep_for(shares.is_held and S.ms_until(shares.ends, now) or 0)
for _, ticket in ipairs(redis.call('ZRANGEBYSCORE', queue, '-inf', '+inf')) do
  local _, weight = share_of(select(2, ask_of(ticket, now)) or '')
  if weight and weight > shares.limit then send_back(ticket) end
end
if shares.is_held or redis.call('EXISTS', lock) == 0 then serve(now, nil, not shares.is_held) end
return remember('resized')
