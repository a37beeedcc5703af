/** `holdfast inspect`: all that is known under an id. */
import type { SemaphoreInfo } from "../../handles/semaphore.ts";
import { defineCommand } from "../command.ts";
import { everythingUnder, type Everything, type RecordView, type StateView } from "../data/everything.ts";
import { heldText, type LockView } from "../data/holders.ts";
import { stateId } from "../data/stored.ts";
import { durationText } from "../durations.ts";
import { exitCodes } from "../exit-codes.ts";
import { storeOptions, withBackend } from "../store-options.ts";

export const inspectCommand = defineCommand({
  usage: "ID [options]",
  description: `Shows everything under an id: the state without its value, the lock with all its holders, and a semaphore, a once and a
leader of that name. If there is nothing, the exit code is 1.
As JSON: {"id","lock","state","semaphore","once","leader"}; each part is null if it does not exist.`,
  options: storeOptions,
  operands: { min: 1, max: 1 },
  examples: ["holdfast inspect report", "holdfast inspect report --json | jq .lock.waiters"],
  async run({ values, operands: [operand = ""], output }) {
    const id = stateId(operand);
    const all = await withBackend(values, (opened) => everythingUnder(opened, id));
    const { id: _, ...parts } = all;
    const isNothing = Object.values(parts).every((part) => part === null);
    if (isNothing) output.note(`There is nothing under ${JSON.stringify(id)}.`);
    if (!isNothing || output.isJson) await output.result(all, textOf(all));
    return isNothing ? exitCodes.no : exitCodes.done;
  },
});

function textOf({ lock, state, semaphore, once, leader }: Everything): string {
  const lines = [
    ["state", state === null ? "absent" : stateText(state)],
    ["lock", lock === null ? "free" : lockText(lock)],
    ...(semaphore === null ? [] : semaphoreLines(semaphore)),
    ...(once === null ? [] : [["once", recordText(once, "runs")]]),
    ...(leader === null ? [] : [["leader", recordText(leader, "leads")]]),
  ];
  return lines.map(([name = "", text = ""]) => `${name.padEnd(10)}${text}`.trimEnd()).join("\n");
}

export function stateText(state: StateView): string {
  if ("unreadable" in state) return `unreadable: ${state.unreadable}`;
  const { revision, bytes, serializer, version, expiresInMs } = state;
  const expiry = expiresInMs === null ? "never expires" : `expires in ${durationText(expiresInMs)}`;
  return `revision ${String(revision)}, ${String(bytes)} bytes of ${serializer}${version === 1 ? "" : `, version ${String(version)}`}, ${expiry}`;
}

export function lockText({ shared, holders, waiters }: LockView): string {
  const how = shared ? "shared by" : "held by";
  return `${how} ${holders.map(heldText).join(", ")}; ${waitersText(waiters)}`;
}

function waitersText(waiters: number): string {
  return waiters === 1 ? "1 waits" : `${String(waiters)} wait`;
}

function semaphoreLines({ used, permits, createdWith, waiters, holders }: SemaphoreInfo): string[][] {
  const created = createdWith === permits ? "" : ` (created with ${String(createdWith)})`;
  return [
    ["semaphore", `${String(used)} of ${String(permits)} permits${created} in use; ${waitersText(waiters)}`],
    ...holders.map((held) => ["", `${String(held.weight)} by ${heldText({ ...held, holder: held })}`]),
  ];
}

function recordText({ lock, record }: RecordView, does: string): string {
  const who = lock === null ? `no process ${does}` : `${does}: ${lockText(lock)}`;
  return `${who}; ${record === null ? "no record" : `record: ${stateText(record)}`}`;
}
