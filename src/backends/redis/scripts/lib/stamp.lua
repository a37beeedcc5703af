-- Stamps: numbers of about 1.8e15 that always rise, for fences [L3] and revisions [S2].
-- A stamp is the greatest of: server time in microseconds, the last stamp + 1, a floor + 1. Time makes it rise if the
-- last stamp was lost; the last stamp, if the clock was set back; the floor, if a replica with older data took over.
-- Each of the three counts only if it leaves room below LAST.
-- Expects: stamp (the key), and the library bounds. TIME is read once per script: call clock() once and pass its result
-- on.
-- `%d` is three times as fast, but not wide enough on a 32-bit server.
local WHOLE = string.format('%d', BEYOND) == '4503599627370496' and '%d' or '%.0f'
local function text(number)
  return string.format(WHOLE, number)
end
local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end
-- A store with an index has its last stamp in another key than one without, and the other of the two keys is a hash: so
-- every save and every grant of a client that was opened otherwise is refused by reserve(), without a command for that.
-- Reserves `count` stamps. Returns the first, and the last as text; or nil and Redis's error (out of memory: nothing
-- was written).
local function reserve(now, floor, count)
  local room = LAST - count
  local first = now < room and now or 1
  if floor >= first and floor < room then first = floor + 1 end
  local word = text(first + count - 1)
  local known = redis.pcall('SET', stamp, word, 'GET')
  if type(known) == 'table' then
    if string.find(known.err, 'WRONGTYPE', 1, true) and redis.call('TYPE', stamp).ok == 'hash' then
      known.err = 'HFINDEX the store was opened with another option index than it has'
    end
    return nil, known
  end
  if INDEXED and not known then
    -- It is the first stamp, or the server has lost the last one. Nothing else may use the other key.
    local plain = string.sub(stamp, 1, -12) .. 'stamp'
    local taken = redis.pcall('HSET', plain, 'about', 'this store has an index')
    if type(taken) == 'table' then
      redis.call('DEL', stamp)
      if redis.call('TYPE', plain).ok == 'string' then taken.err = 'HFINDEX the store is in use without an index' end
      return nil, taken
    end
  end
  known = tonumber(known or 0) or 0
  if known >= first and known < room then
    first = known + 1
    word = text(first + count - 1)
    redis.call('SET', stamp, word)
  end
  return first, word
end
