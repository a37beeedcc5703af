-- One operation of many: what it answers, or its own error; the others go on.
-- Redis 6.2 puts where it happened before the errors that it makes itself: `@user_script: 71: -OOM command not allowed`.
local function said(failure)
  return (string.gsub(failure, '^@user_script: ?%d+: ?%-?', ''))
end
local function alone(operation, ...)
  local ok, reply = pcall(operation, ...)
  -- Redis 7 raises a table, earlier versions raise text; what pcall of redis answers is a table on both.
  local failure = type(reply) == 'table' and reply.err or not ok and reply
  if failure then return { err = said(failure) } end
  return reply
end
