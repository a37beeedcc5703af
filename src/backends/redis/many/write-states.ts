/** Several writes in one call: the arguments of write-states.lua, and its replies. */
import type { EntryResult, WriteEntry, WriteStatesReply } from "../../contract.ts";
import type { RedisArgument, RedisReply } from "../client/client-port.ts";
import { readWrite } from "../protocol/decode.ts";
import { encodeWrite } from "../protocol/encode.ts";
import { oneOf, parseNumber, text, unexpected } from "../protocol/reply-values.ts";
import type { AheadCommand } from "../protocol/script-runner.ts";

interface EncodedWrites {
  readonly operations: string;
  readonly payload: RedisArgument;
  readonly ahead: readonly AheadCommand[];
}

/** Of one entry, and of one set of terms: see the header of the script. */
const [entryWidth, termsWidth] = [5, 3];

/** `stagingKey`: the key to which the value of this id is sent ahead, if it is large. */
export function encodeWriteStates(
  entries: readonly WriteEntry[],
  stagingKey: (id: string) => string,
): EncodedWrites {
  const operations: (string | number)[] = [entries.length];
  const payload: Buffer[] = [];
  const ahead: AheadCommand[] = [];
  const terms = new Terms(1 + entryWidth * entries.length);
  for (const { id, write } of entries) {
    const encoded = encodeWrite(write, () => stagingKey(id));
    const { bytes, staged, ifRevision } = encoded;
    operations.push(id, ifRevision, bytes?.byteLength ?? 0, staged, terms.place(encoded.terms));
    if (bytes !== undefined) payload.push(bytes);
    if (encoded.ahead !== undefined) ahead.push(encoded.ahead);
  }
  return {
    operations: JSON.stringify([...operations, ...terms.all]),
    payload: payload.length === 0 ? "" : Buffer.concat(payload),
    ahead,
  };
}

/** The terms of all entries; most have those of the entry before. */
class Terms {
  readonly all: string[] = [];
  readonly #from: number;
  #last: readonly string[] = [];

  /** `from`: where the terms begin. */
  constructor(from: number) {
    this.#from = from;
  }

  /** Where these terms are. */
  place(terms: readonly string[]): number {
    const isLast = this.#last.length > 0 && terms.every((term, index) => term === this.#last[index]);
    if (!isLast) this.all.push(...terms);
    this.#last = terms;
    return this.#from + this.all.length - termsWidth;
  }
}

const results: Readonly<Record<string, EntryResult>> = {
  s: "saved",
  d: "deleted",
  a: "absent",
  b: "busy",
};

export function readWriteStates(reply: RedisReply, count: number): WriteStatesReply {
  const [head = "", ...reasons] = text(reply).split("\n");
  const [word, first, letters = ""] = head.split(" ");
  const status = oneOf(word, "written", "refused", "forgotten");
  if (status === "forgotten") return { status };
  const marks = letters.length === 1 ? letters.repeat(count) : letters;
  if (marks.length !== count)
    throw unexpected(`${String(count)} answers expected, got ${String(marks.length)}`);
  const all = Array.from(marks, (mark) => results[mark] ?? refusalOf(reasons.shift()));
  return { status, firstRevision: first === "-" ? null : parseNumber(first), results: all };
}

function refusalOf(reason = ""): EntryResult {
  const refused = readWrite(reason);
  if (refused.status === "conflict" || refused.status === "unreadable") return refused;
  throw unexpected(`a refusal expected, got ${refused.status}`);
}
