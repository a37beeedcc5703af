/** What `open()` needs of a server: everything that its own checks try, and which rights are missing. */
import { HoldfastError, UnavailableError } from "../../../errors.ts";
import { fail, ok, unknown, type Check } from "../../examination.ts";
import { list, text } from "../protocol/reply-values.ts";
import { scripts } from "../scripts/generated.ts";
import { probeArguments, StartupChecks } from "../startup-checks.ts";
import type { Inquiry } from "./inquiry.ts";

/** Bytes are kept, scripts run, and the keys under the prefix are those of a whole store. */
export async function protocolCheck(inquiry: Inquiry): Promise<Check> {
  const startup = new StartupChecks({
    ...inquiry.options,
    onConnected: () => undefined,
    warn: () => undefined, // eviction and wakes have checks of their own
  });
  try {
    await startup.ready();
    return ok("protocol", "scripts run, bytes are kept, and the server accepts writes");
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    await inquiry.ask("TIME"); // without an answer, this is the end
    // The message says what to do: a server that is too old needs something else than a URL of one node of a cluster.
    return fail("protocol", error.message, "No store can be opened here before that is changed.");
  }
}

const advice =
  "Permit them on the keys and channels of this prefix; node_modules/holdfast/docs/redis.md has the whole ACL rule.";

/** Tries every command, in the forms in which the scripts use it. */
export async function rightsCheck(inquiry: Inquiry): Promise<Check> {
  const { keys, settings, runner } = inquiry.options;
  try {
    const failures = await runner.run({
      script: scripts.probe,
      keys: [keys.probe, keys.stamp],
      args: probeArguments(keys, settings, true),
      read: (reply) => list(reply).slice(1).map(text),
    });
    // A command that is denied makes others fail, for which the first is the reason.
    const denied = failures.filter((one) => /NOPERM|permission/i.test(one));
    if (failures.some((one) => /READONLY|\bOOM\b|MISCONF|NOREPLICAS/.test(one)))
      return unknown("rights", "the server does not accept writes");
    const missing = (denied.length > 0 ? denied : failures).map(nameOf);
    if (missing.length === 0) return await besidesScripts(inquiry);
    return fail("rights", `not permitted, or not there: ${[...new Set(missing)].join(", ")}`, advice);
  } catch (error) {
    if (error instanceof UnavailableError && error.code === "ACCESS_DENIED")
      return fail("rights", error.message, advice);
    if (!(error instanceof HoldfastError)) throw error;
    await inquiry.ask("TIME");
    return unknown("rights", error.message);
  }
}

function nameOf(failure: string): string {
  return /\[([^[\]]+)\]$/.exec(failure)?.[1] ?? failure;
}

/** What the backend sends outside of scripts, and has not been tried above. */
async function besidesScripts(inquiry: Inquiry): Promise<Check> {
  const { keys } = inquiry.options;
  const trials = {
    INFO: ["INFO", "server"],
    SCAN: ["SCAN", "0", "COUNT", "1", "MATCH", keys.never],
    WAIT: ["WAIT", "0", "1"],
  };
  const missing: string[] = [];
  for (const [name, args] of Object.entries(trials)) {
    if ((await inquiry.ask(...args)).refused !== undefined) missing.push(name);
  }
  const all = "the user may do everything that the scripts need";
  if (missing.length === 0) return ok("rights", all);
  return {
    name: "rights",
    status: "warning",
    found: `${all}, but not ${missing.join(", ")}`,
    advice:
      "These are for listings (SCAN), the warning of eviction (INFO) and durability (WAIT); all else works without them.",
  };
}
