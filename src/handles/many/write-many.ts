/** Sends many writes and waits for all their answers; traced as one call. */
import { traces } from "../../diagnostics/traces.ts";
import type { Session } from "../../session.ts";
import { traceUpdate } from "../trace-handles.ts";
import {
  ManyWrites,
  throwIfUnavailable,
  type Answer,
  type Entry,
  type How,
  type ManyCall,
} from "./many-writes.ts";

export async function writeMany(
  session: Session,
  entries: readonly Entry[],
  how: How & { readonly call: ManyCall },
): Promise<readonly Answer[]> {
  const writes = new ManyWrites(session, entries, how);
  if (traces.update.hasSubscribers) {
    const call = how.call === "saveMany()" ? "save()" : "delete()";
    const ids = entries.map(({ id }) => id);
    await traceUpdate({ call, ids, signal: how.signal }, async (trace) => {
      await writes.send(trace);
      throwIfUnavailable(await writes.answered());
    });
  } else await writes.send();
  const answers = await writes.answered();
  throwIfUnavailable(answers);
  return answers;
}
