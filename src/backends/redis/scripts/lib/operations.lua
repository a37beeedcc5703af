-- The operations of a script that serves many. First a base and their count, then one operation after the other, each of
-- `width` elements, then their terms. A ticket is the base and its number; the last element of an operation says where its
-- terms begin, counted from 0. Several are one JSON array, the first argument: one flat array of short strings is what Lua
-- takes in fastest, since it builds a table for each array and hashes every byte of each string. One alone stands behind
-- the other arguments, from the one that the first names: no table is built for it, and its numbers are text.
-- Expects: width. Gives: operations, base, count, first_at and terms_at (where operations and terms begin), is_ours.
local alone_at = tonumber(ARGV[1])
local operations = alone_at and ARGV or cjson.decode(ARGV[1])
local first_at = (alone_at or 1) + 2
local base, count = operations[first_at - 2], tonumber(operations[first_at - 1])
local terms_at = first_at + width * count
-- Does the ticket of that number hold the lock? `held`: what the lock's key has. Without making a string of the ticket.
local function is_ours(held, number)
  return held and string.find(held, base, 1, true) == 1 and string.find(held, number .. ' ', #base + 1, true) == #base + 1
end
