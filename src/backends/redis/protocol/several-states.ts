/** A commit of several states: the arguments of commit-states.lua, and its replies. */
import type { CommitEntry, CommitReply, Receipt } from "../../contract.ts";
import type { RedisArgument, RedisReply } from "../client/client-port.ts";
import { encodeWrite } from "./encode.ts";
import { oneOf, parseNumber, text } from "./reply-values.ts";
import type { AheadCommand } from "./script-runner.ts";

export interface EncodedCommit {
  /** count payload, and then the states. */
  readonly args: readonly RedisArgument[];
  readonly ahead: readonly AheadCommand[];
}

/** `stagingKey`: the key to which the value of this id is sent ahead, if it is large. */
export function encodeCommitStates(
  entries: readonly CommitEntry[],
  stagingKey: (id: string) => string,
): EncodedCommit {
  const states: string[] = [];
  const payload: Buffer[] = [];
  const ahead: AheadCommand[] = [];
  for (const { id, ticket, write, ifRevision, release } of entries) {
    const encoded = encodeWrite(write, () => stagingKey(id));
    const { terms, bytes, staged } = encoded;
    states.push(id, ticket, ...terms, String(ifRevision ?? ""), String(bytes?.byteLength ?? 0), staged);
    states.push(...settling(release));
    if (bytes !== undefined) payload.push(bytes);
    if (encoded.ahead !== undefined) ahead.push(encoded.ahead);
  }
  return { args: [String(entries.length), Buffer.concat(payload), ...states], ahead };
}

/** slot n */
function settling(release: Receipt | undefined): readonly [string, string] {
  return release === undefined ? ["", ""] : [String(release.sequence), String(release.n)];
}

export function readCommitStates(reply: RedisReply): CommitReply {
  const [status, ...words] = text(reply).split(" ");
  if (status === "committed") return { status, revisions: words.map(revisionOf) };
  const [first, ...rest] = words;
  if (status === "lost") return { status, index: parseNumber(first) };
  if (status === "conflict")
    return { status, index: parseNumber(first), revision: revisionOf(rest[0] ?? "") };
  if (status === "unreadable") return { status, index: parseNumber(first), unreadable: rest.join(" ") };
  return { status: oneOf(status ?? "", "forgotten") };
}

/** `-`: not written, or deleted. */
function revisionOf(word: string): number | null {
  return word === "-" || word === "absent" ? null : parseNumber(word);
}
