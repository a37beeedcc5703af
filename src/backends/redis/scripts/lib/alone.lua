-- A single operation, which is the usual case: it follows the other arguments as it is, its base and the count first, and
-- the first argument says where. The scripts of locks begin with what is usual about it besides: few functions are
-- defined for that, and no table is built. What is unusual about it is left to the rest of the script, untouched.
-- Gives: alone_at (where the base is; nil if there are several operations).
local alone_at = tonumber(ARGV[1])
