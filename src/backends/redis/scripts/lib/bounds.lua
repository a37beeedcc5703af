-- The bounds of numbers.
-- Every stamp is below LAST (microseconds: the year 2099), and a number that leaves no room below it is no stamp of ours:
-- any client that may write our keys or channels could have put it there, and the stamps after it could not rise [S2] [L3].
local LAST = 4100000000000000
-- Scores in a queue: from here on (2^52) they mark tickets that are passed over (queue.lua).
local BEYOND = 4503599627370496
