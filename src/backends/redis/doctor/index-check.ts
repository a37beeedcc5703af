/** Whether the store keeps an index of its ids. */
import { counted, ok, unknown, warning, type Check } from "../../examination.ts";
import { makeKeys } from "../protocol/keys.ts";
import { integer } from "../protocol/reply-values.ts";
import type { ScriptRunner } from "../protocol/script-runner.ts";
import type { Inquiry } from "./inquiry.ts";

/** The keys of the store as it is. */
export async function storedIndex(runner: ScriptRunner, prefix: string, clientId: string): Promise<boolean> {
  const args = ["GET", makeKeys(prefix, clientId, true).stamp];
  return runner.command({ args, read: (reply) => reply !== null }).catch(() => false); // a hash: there was one
}

export async function indexCheck(inquiry: Inquiry): Promise<Check> {
  const { index, isIndexed, building } = inquiry.options.keys;
  if (!isIndexed) return ok("index", "none: states() and count() walk through all keys of the database");
  const [entries, isBeingBuilt] = [await inquiry.ask("ZCARD", index), await inquiry.ask("EXISTS", building)];
  if (entries.refused !== undefined || isBeingBuilt.refused !== undefined)
    return unknown("index", "the user may not ask, or something else is in its place");
  const found = counted(integer(entries.reply), "id");
  if (isBeingBuilt.reply !== 1) return ok("index", found);
  return warning(
    "index",
    `it is being built, and has ${found} by now`,
    "If that was interrupted, run npx holdfast index build again.",
  );
}
