/**
 * Whether a store has an index: claimed by the first client of a new store, and compared by all others.
 *
 * A store with an index has its last stamp in another key than one without (scripts/lib/stamp.lua), and where the other
 * would be, there is a hash. So no client that was opened otherwise can save anything, even if it has been running since
 * before.
 */
import type { IndexAction } from "../../contract.ts";
import { hasNoIndex, isBeingBuilt } from "../client/index-mismatch.ts";
import type { Keys } from "../protocol/keys.ts";
import { oneOf } from "../protocol/reply-values.ts";
import type { ScriptRunner } from "../protocol/script-runner.ts";
import { scripts } from "../scripts/generated.ts";

/** Throws InvalidArgumentError if the store is in use without an index. */
export async function claimIndex(runner: ScriptRunner, keys: Keys, name: string): Promise<void> {
  const found = await runIndex(runner, keys, "claim");
  if (found === "plain") throw hasNoIndex(name);
  if (found === "building") throw isBeingBuilt(name);
}

/** Throws UnavailableError if the user lacks a right for the commands of the index. */
export async function mayUseIndex(runner: ScriptRunner, { index }: Keys): Promise<void> {
  const none = ["LIMIT", "0", "0"];
  const commands = [
    ["ZLEXCOUNT", index, "(a", "(a"],
    ["ZRANGEBYLEX", index, "(a", "(a", ...none],
    ["ZREVRANGEBYLEX", index, "(a", "(a", ...none],
  ];
  await Promise.all(commands.map((args) => runner.command({ args, read: () => undefined })));
}

export function runIndex(
  runner: ScriptRunner,
  { stamp, otherStamp, index, building }: Keys,
  action: IndexAction | "claim",
): Promise<"indexed" | "building" | "plain" | "begun" | "dropped"> {
  return runner.run({
    script: scripts.index,
    keys: [otherStamp, stamp, index, building],
    args: [action],
    read: (reply) => oneOf(reply, "indexed", "building", "plain", "begun", "dropped"),
  });
}
