/**
 * The notes of what functions wait for [L15]: one script, which finds its way from lock to lock by what is stored.
 *
 * Where all keys must be declared, the script says which ones it found out that it needs, and is run again with them.
 */
import { UnavailableError } from "../../errors.ts";
import { maxAsksSearched } from "../contract-waits.ts";
import type { BlockedHolder, Deadlock, NoteOrder, WaitNote } from "../contract.ts";
import type { RedisReply } from "./client/client-port.ts";
import type { Keys } from "./protocol/keys.ts";
import { list, text } from "./protocol/reply-values.ts";
import { scripts } from "./scripts/generated.ts";
import type { SingleCalls } from "./single-calls.ts";

type Found = readonly (Deadlock | null)[];

/** Each run but the last finds the keys of at least one more lock or client. */
const maxRuns = 2 * maxAsksSearched;

export async function noteWaits(
  singleCalls: SingleCalls,
  keys: Keys,
  [notes, { n, keepMs }]: readonly [readonly WaitNote[], NoteOrder],
): Promise<Found> {
  const declared = new Set<string>();
  const isDeclared = singleCalls.declaresKeys ? "1" : "0";
  for (let run = 0; run < maxRuns; run += 1) {
    const reply = await singleCalls.run({
      script: scripts.noteWaits,
      keys: [keys.waits],
      madeKeys: () => [...declared],
      args: [keys.prefix, String(n), String(keepMs), isDeclared, encode(notes)],
      read: (raw) => readReply(raw, notes),
    });
    if (!("missing" in reply)) return reply.found;
    for (const key of reply.missing) declared.add(key);
  }
  throw new UnavailableError("What waits for these locks changes faster than it can be read.");
}

function encode(notes: readonly WaitNote[]): string {
  return JSON.stringify(
    notes.map(({ id, ticket, asks }) => [id, ticket, asks.map((ask) => [ask.id, ask.ticket])]),
  );
}

function readReply(
  reply: RedisReply,
  notes: readonly WaitNote[],
): { readonly found: Found } | { readonly missing: readonly string[] } {
  if (!Array.isArray(reply)) return { found: notes.map(() => null) }; // a late copy, whose reply nobody awaits
  const [first, ...rest] = reply as readonly RedisReply[];
  if (first !== undefined && first !== 0 && !Array.isArray(first)) return { missing: rest.map(text) };
  return { found: list(reply).map((cycle) => (cycle === 0 ? null : readCycle(list(cycle).map(text)))) };
}

function readCycle(fields: readonly string[]): Deadlock {
  const holders: BlockedHolder[] = [];
  for (let at = 0; at + 3 < fields.length; at += 4) {
    const [id = "", ticket = "", askId = "", askTicket = ""] = fields.slice(at, at + 4);
    holders.push({ id, ticket, ask: { id: askId, ticket: askTicket } });
  }
  return holders;
}
