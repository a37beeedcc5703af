-- The operations of a script that serves many: a base and their count, then the operations one after another, each of
-- `width` elements, then their terms. A ticket is the base followed by the operation's number. The last element of an
-- operation says where its terms begin, counted from 0. Several operations are one JSON array, the first argument. Lua
-- decodes one flat array of short strings fastest, since it builds a table for each array and hashes every byte of each
-- string. A single operation is not encoded at all (alone.lua); its numbers are text.
-- Expects: width, and the library alone. Gives: operations, base, count, first_at and terms_at (where operations and terms begin),
-- is_ours.
local operations = alone_at and ARGV or cjson.decode(ARGV[1])
local first_at = (alone_at or 1) + 2
local base, count = operations[first_at - 2], tonumber(operations[first_at - 1])
local terms_at = first_at + width * count
-- Whether the ticket with that number holds the lock. `held`: the value of the lock's key. Builds no string for the
-- ticket.
local function is_ours(held, number)
  return held and string.find(held, base, 1, true) == 1 and string.find(held, number .. ' ', #base + 1, true) == #base + 1
end
