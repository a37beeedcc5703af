-- Runs one operation of many. Returns its reply or its own error; the others go on.
-- Redis 6.2 puts the position before its own errors: `@user_script: 71: -OOM command not allowed`.
local function error_text(failure)
  return (string.gsub(failure, '^@user_script: ?%d+: ?%-?', ''))
end
local function isolated(operation, ...)
  local ok, reply = pcall(operation, ...)
  -- Redis 7 raises a table, earlier versions raise text; redis.pcall returns a table on both.
  local failure = type(reply) == 'table' and reply.err or not ok and reply
  if failure then return { err = error_text(failure) } end
  return reply
end
