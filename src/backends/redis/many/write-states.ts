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

/** `stagingKey`: the key to which the value of this id is sent ahead, if it is large. */
export function encodeWriteStates(
  entries: readonly WriteEntry[],
  stagingKey: (id: string) => string,
): EncodedWrites {
  const writes = entries.map(({ id, write }) => encodeWrite(write, () => stagingKey(id)));
  const columns = [
    ...[0, 1, 2].map((term) => writes.map(({ terms }) => terms[term])), // kind serializer ttl
    writes.map(({ ifRevision }) => ifRevision),
    writes.map(({ staged }) => staged),
    writes.map(({ bytes }) => bytes?.byteLength ?? 0),
  ];
  const ids = entries.map(({ id }) => id);
  return {
    operations: JSON.stringify([ids, ...columns.map(oneOrAll)]),
    payload: Buffer.concat(writes.flatMap(({ bytes }) => bytes ?? [])),
    ahead: writes.flatMap(({ ahead }) => ahead ?? []),
  };
}

/** One value, if all are the same. */
function oneOrAll(column: readonly unknown[]): unknown {
  return column.every((value) => value === column[0]) ? column[0] : column;
}

const results: Readonly<Record<string, EntryResult>> = {
  s: "saved",
  d: "deleted",
  a: "absent",
  b: "busy",
};

export function readWriteStates(reply: RedisReply, count: number): WriteStatesReply {
  const [head = "", ...reasons] = text(reply).split("\n");
  const [word, revision, letters = ""] = head.split(" ");
  const status = oneOf(word, "written", "refused", "forgotten");
  if (status === "forgotten") return { status };
  const marks = letters.length === 1 ? letters.repeat(count) : letters;
  if (marks.length !== count)
    throw unexpected(`${String(count)} answers expected, got ${String(marks.length)}`);
  const all = Array.from(marks, (mark) => results[mark] ?? refusalOf(reasons.shift()));
  return { status, revision: revision === "-" ? null : parseNumber(revision), results: all };
}

function refusalOf(reason = ""): EntryResult {
  const refused = readWrite(reason);
  if (refused.status === "conflict" || refused.status === "unreadable") return refused;
  throw unexpected(`a refusal expected, got ${refused.status}`);
}
