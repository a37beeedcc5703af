-- The bounds of numbers.
-- Every stamp is below LAST (microseconds: the year 2099). Holdfast never makes a stamp that leaves no room below LAST.
-- Any client with write access to its keys or channels could have put one there, and the stamps after it could not rise
-- [S2] [L3].
local LAST = 4100000000000000
-- Scores in a queue from here on (2^52) mark tickets that are passed over (queue.lua).
local BEYOND = 4503599627370496
-- A semaphore is kept for this long after the end of the last lease.
local SEMAPHORE_KEEP_MS = 86400000
-- For a store with an index of its ids, the client replaces this line (script-settings.ts); then `stamp` ends in
-- `index:stamp`: see lib/stamp.lua.
local INDEXED = false
