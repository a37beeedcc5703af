// The history: what `--log FILE` holds, one JSON object per line, in the order of `at`, and the same read back for the checker.
//
// `at` is in whole nanoseconds since the run began, by the machine's monotonic clock, which all its processes share. A `life` is
// one process from start to end ("3.2": the second in place 3); it makes one call after the other in each of its `caller`s.
//
// | ev | fields | what |
// |---|---|---|
// | run | version, seed, backend, seconds, processes, faults, durability, latenessMs? | the first line. `latenessMs`: how late timers are at most, where that is known |
// | life, died | life, pid / how | a process started; ended ("closed" by itself, "killed" by us, else unexpected) |
// | begin | life, n, caller, op, id, add?, hold?, ifRevision?, proclaims? | a call, before it is made. `add`: the id that it appends to the list `id`; `proclaims`: what a leader proclaims from then on |
// | end | life, n, outcome, code?, revision?, fence?, count?, length?, digest?, value?, torn? | its answer. No `end`: the process died, outcome unknown. `value`: the result of a once, or what the leader proclaims; `null`: there is none |
// | ran | life, id, fence, attempt, value | the function of a once was called, and returns this, unless it throws |
// | held | life, h, caller, id, fence, asked, leaseMs, draft?, shared?, weight?, limit? | a grant was handed to its caller, who asked at `asked`; or an update's function runs. `shared`: others may share it. `weight`: permits of a semaphore that has `limit` |
// | left | life, h, how | the holder lets go: "release" (about to call it), or "abort" (its signal aborted) |
// | released | life, h, answer | what release answered: true, false or "unknown" |
// | stall | life, from | the process did not run from `from` until `at`: stopped, blocked, or the machine was busy |
// | again | life, id, add, calls | the function of an update was called once more |
// | closed | life | its store is closed |
// | wrong | life?, what | something that must never be was seen on the spot |
// | fault | name, phase, on?, … | the beginning and the end of a fault |
// | calm | | no fault from here on; processes go on a while, then close |
// | final | id, revision, value | a list as it is after everybody has closed: { count, ids } |
// | account | id, value | an account of a bank, as a list is in `final` |
// | behind | what, key, ticket, life? | a lock or a place in a queue that was left on the server, and whose |
//
// `outcome` is "ok", "failed" (certainly nothing was written) or "unknown". `length`, `count` and `digest` describe the list that a
// read or an update saw: `digest` is the start of the SHA-1 of its ids, each with a line feed behind it. An audit of a bank saw `length`
// transfers, and `torn`.

import { createHash } from "node:crypto";

import type { Account } from "../bank/account.ts";
import type {
  Backend,
  Call,
  FaultSpan,
  Final,
  Hold,
  Line,
  List,
  Outcome,
  Run,
  Span,
} from "./history-types.ts";

export type * from "./history-types.ts";

export class History {
  run: Line | undefined;
  readonly calls: Call[] = [];
  readonly holds: Hold[] = [];
  readonly runs: Run[] = [];
  readonly faults: FaultSpan[] = [];
  readonly finals = new Map<string, Final>();
  readonly accounts = new Map<string, Account>();
  readonly stalls = new Map<string, Span[]>();
  readonly deaths: Line[] = [];
  readonly wrong: Line[] = [];
  readonly again: Line[] = [];
  readonly behind: Line[] = [];
  calmAt = Infinity;
  readonly #open = new Map<string, Call>();
  readonly #held = new Map<string, Hold>();
  readonly #lastAt = new Map<string, number>();
  readonly #striking: FaultSpan[] = [];

  get backend(): Backend {
    return (this.run?.["backend"] ?? "redis") as Backend;
  }

  /** Whether a failover may lose what was acknowledged. */
  get hasReplicas(): boolean {
    return this.backend === "redis-replicas" || this.backend === "redis-cluster";
  }

  /** Takes the lines of one life in their order; lives may come one after the other. */
  add(line: Line): void {
    const life = String(line["life"]);
    if (line["life"] !== undefined && line.ev !== "died" && line.ev !== "behind") {
      this.#lastAt.set(life, Math.max(line.at, this.#lastAt.get(life) ?? 0));
    }
    switch (line.ev) {
      case "run":
        this.run = line;
        break;
      case "begin":
        return this.#begin(line, life);
      case "end":
        return this.#end(line, life);
      case "held":
        return this.#hold(line, life);
      case "ran":
        this.runs.push({ ...(line as unknown as Run), life, at: line.at });
        break;
      case "left":
      case "released":
        return this.#leave(line, life);
      case "stall":
        return this.#stall(line, life);
      case "fault":
        return this.#fault(line);
      case "calm":
        this.calmAt = line.at;
        break;
      case "final": {
        const { count, ids } = line["value"] as List;
        this.finals.set(String(line["id"]), {
          id: String(line["id"]),
          revision: Number(line["revision"]),
          count,
          ids,
        });
        break;
      }
      case "account":
        this.accounts.set(String(line["id"]), line["value"] as Account);
        break;
      case "died":
        this.deaths.push(line);
        break;
      case "again":
        this.again.push(line);
        break;
      case "wrong":
        this.wrong.push(line);
        break;
      case "behind":
        this.behind.push(line);
        break;
      default: // life
    }
  }

  /** After the last line: whoever died holding held until its last sign of life. */
  close(): this {
    for (const hold of this.holds) {
      if (hold.until === Infinity) hold.until = this.#lastAt.get(hold.life) ?? hold.from;
    }
    return this;
  }

  #begin(line: Line, life: string): void {
    const call: Call = {
      life,
      n: Number(line["n"]),
      caller: Number(line["caller"]),
      op: String(line["op"]),
      id: String(line["id"]),
      add: line["add"] as string | undefined,
      hold: line["hold"] as number | undefined,
      begin: line.at,
      end: Infinity,
      outcome: "unknown",
      code: undefined,
      revision: undefined,
      fence: undefined,
      count: undefined,
      length: undefined,
      digest: undefined,
      torn: undefined,
      proclaims: line["proclaims"] as string | undefined,
      value: undefined,
    };
    this.calls.push(call);
    this.#open.set(`${life}#${call.n}`, call);
  }

  #end(line: Line, life: string): void {
    const key = `${life}#${String(line["n"])}`;
    const call = this.#open.get(key);
    if (call === undefined) return;
    this.#open.delete(key);
    call.end = line.at;
    call.outcome = line["outcome"] as Outcome;
    call.code = line["code"] as string | undefined;
    call.revision = line["revision"] as number | undefined;
    call.fence = line["fence"] as number | undefined;
    call.count = line["count"] as number | undefined;
    call.length = line["length"] as number | undefined;
    call.digest = line["digest"] as string | undefined;
    call.torn = line["torn"] as string | undefined;
    call.value = line["value"] as string | null | undefined;
  }

  #hold(line: Line, life: string): void {
    const hold: Hold = {
      life,
      h: Number(line["h"]),
      id: String(line["id"]),
      fence: Number(line["fence"]),
      asked: Number(line["asked"]),
      from: line.at,
      leaseMs: Number(line["leaseMs"]),
      draft: line["draft"] === true,
      shared: line["shared"] === true,
      weight: Number(line["weight"] ?? 1),
      limit: line["limit"] as number | undefined,
      until: Infinity,
      how: "death",
      answer: undefined,
      releasedAt: Infinity,
    };
    this.holds.push(hold);
    this.#held.set(`${life}#${hold.h}`, hold);
  }

  #stall(line: Line, life: string): void {
    const span = { from: Number(line["from"]), to: line.at };
    const before = this.stalls.get(life);
    if (before === undefined) this.stalls.set(life, [span]);
    else before.push(span);
  }

  #leave(line: Line, life: string): void {
    const hold = this.#held.get(`${life}#${String(line["h"])}`);
    if (hold === undefined) return;
    if (line.ev === "released") {
      hold.answer = line["answer"] as boolean | "unknown";
      hold.releasedAt = line.at;
    } else if (hold.until === Infinity) {
      hold.until = line.at;
      hold.how = line["how"] as "release" | "abort";
    }
  }

  #fault(line: Line): void {
    const name = String(line["name"]);
    if (line["phase"] === "begin") {
      const span = { name, from: line.at, to: Infinity, detail: line };
      this.faults.push(span);
      this.#striking.push(span);
      return;
    }
    const at = this.#striking.findIndex((span) => span.name === name && span.detail["on"] === line["on"]);
    const [span] = at === -1 ? [] : this.#striking.splice(at, 1);
    if (span !== undefined) span.to = line.at;
  }
}

export function digest(ids: readonly string[]): string {
  return createHash("sha1")
    .update(ids.map((id) => `${id}\n`).join(""))
    .digest("hex")
    .slice(0, 16);
}

/** The digests of all beginnings of a list: the nth is that of its first n ids. */
export function prefixDigests(ids: readonly string[]): string[] {
  const hash = createHash("sha1");
  const digests = [digest([])];
  for (const id of ids) digests.push(hash.update(`${id}\n`).copy().digest("hex").slice(0, 16));
  return digests;
}
