-- The operations of a script that serves many: its first argument, one JSON array. First a base and their count, then one
-- operation after the other, each of `width` elements, then their terms. A ticket is the base and its number; the last
-- element of an operation says where its terms begin, counted from 0. One flat array of short strings is what Lua takes
-- in fastest, since it builds a table for each array and hashes every byte of each string.
-- Expects: width. Gives: operations, base, count, first_at and terms_at (where operations and terms begin), is_ours.
local operations = cjson.decode(ARGV[1])
local base, count, first_at = operations[1], operations[2], 3
local terms_at = first_at + width * count
-- Does the ticket of that number hold the lock? `held`: what the lock's key has. Without making a string of the ticket.
local function is_ours(held, number)
  return held and string.find(held, base, 1, true) == 1 and string.find(held, number .. ' ', #base + 1, true) == #base + 1
end
