// An edition of the scripts that refuses keys which are not among their KEYS, as some servers do. It shows that declared
// keys are complete.

import { withText, type Edition } from "../../../src/backends/redis/protocol/script-settings.ts";

/** Which arguments of a command are keys; by default the first. */
const prelude = `
local redis = (function(real)
  local declared = {}
  for _, key in ipairs(KEYS) do declared[key] = true end
  local last_key = { TIME = 0, PUBSUB = 0, PUBLISH = 0, SPUBLISH = 0, MGET = -1, DEL = -1, EXISTS = -1, RENAME = 2 }
  local function check(command, ...)
    local arguments = { ... }
    local last = last_key[command] or 1
    if last == -1 then last = #arguments end
    for i = 1, last do
      if not declared[arguments[i]] then error({ err = 'UNDECLARED ' .. command .. ' ' .. tostring(arguments[i]) }) end
    end
  end
  return setmetatable({
    call = function(...) check(...) return real.call(...) end,
    pcall = function(...) check(...) return real.pcall(...) end,
  }, { __index = real })
end)(redis)
`;

export const refusingUndeclared: Edition = (script) => withText(script, `${prelude}${script.text}`);
