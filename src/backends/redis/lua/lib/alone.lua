-- One operation of many: what it answers, or its own error; the others go on.
local function alone(operation, ...)
  local ok, reply = pcall(operation, ...)
  if ok then return reply end
  -- Redis 7 raises a table, earlier versions raise text.
  if type(reply) == 'table' then return { err = reply.err } end
  return { err = reply }
end
