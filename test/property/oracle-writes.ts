// What is written in a sequence of calls, and under which conditions: each side has revisions of its own.

import type { NewTtl, StateWrite, TouchWrite, Ttl } from "../../src/backends/contract.ts";
import { remove, save } from "../../src/testing/contract-client.ts";
import type { Answers, Both, Comparison } from "./oracle-comparison.ts";
import type { Entry } from "./oracle-history.ts";
import { revisionsOfMany } from "./oracle-many.ts";
import type { WriteOp } from "./oracle-ops.ts";

type Condition = number | "absent" | undefined;

export class Writes {
  readonly #ttls: Comparison["ttls"];
  readonly #wall: () => number;
  readonly #answers: Answers;
  readonly #latest = new Map<string, Both<number>>();

  constructor({ ttls, wall = Date.now }: Comparison, answers: Answers) {
    this.#ttls = ttls;
    this.#wall = wall;
    this.#answers = answers;
  }

  of(id: string, op: WriteOp): Both<StateWrite> {
    const conditions = this.conditionOf(id, op.ifRevision);
    const ttlMs = this.#lifeOf(op.ttl);
    const of = (side: 0 | 1): StateWrite => {
      const ifRevision = conditions[side];
      if (op.kind === "delete") return remove({ ifRevision });
      if (op.kind === "touch") return { kind: "touch", ...this.touch(id, op)[side] };
      return save(`value ${op.value}`, {
        serializer: op.serializer,
        replaces: op.replaces,
        ttlMs,
        ifRevision,
      });
    };
    return [of(0), of(1)];
  }

  /** What a touch asks for; there is no "absent" for it. */
  touch(id: string, op: Pick<WriteOp, "ttl" | "ifRevision">): Both<Omit<TouchWrite, "kind">> {
    const [one, two] = this.conditionOf(id, op.ifRevision === "absent" ? "old" : op.ifRevision);
    const ttlMs = this.#newLifeOf(op.ttl);
    return [
      { ttlMs, ifRevision: one === "absent" ? undefined : one },
      { ttlMs, ifRevision: two === "absent" ? undefined : two },
    ];
  }

  conditionOf(id: string, ifRevision: WriteOp["ifRevision"]): Both<Condition> {
    if (ifRevision === "any") return [undefined, undefined];
    if (ifRevision === "absent") return ["absent", "absent"];
    return (ifRevision === "latest" ? this.#latest.get(id) : this.#answers.firstStamp) ?? [1, 1];
  }

  /** Keeps the revision of each id that the replies are about. */
  note({ id, ids }: Entry, reference: unknown, subject: unknown): void {
    const [one, two] = [revisionsOf(reference), revisionsOf(subject)];
    one.forEach((revision, index) => {
      const other = two[index];
      if (typeof revision === "number" && typeof other === "number")
        this.#latest.set(ids?.[index] ?? id, [revision, other]);
    });
  }

  #newLifeOf(ttl: WriteOp["ttl"]): NewTtl {
    const life = this.#lifeOf(ttl);
    if (life === "keep") return "none";
    return typeof life === "object" && "whenNew" in life ? life.whenNew : life;
  }

  #untilOf(until: number | "past"): NewTtl {
    return { until: until === "past" ? 1 : this.#wall() + this.#ttls[until]! };
  }

  #lifeOf(ttl: WriteOp["ttl"]): Ttl {
    if (typeof ttl === "string") return ttl;
    if (typeof ttl === "object" && "until" in ttl) return this.#untilOf(ttl.until);
    const ms = (index: number): number => this.#ttls[index]!;
    return typeof ttl === "number" ? ms(ttl) : { whenNew: ms(ttl.whenNew) };
  }
}

/** Of a commit: one for each id. */
function revisionsOf(reply: unknown): readonly unknown[] {
  const { revision, revisions, index } = (reply ?? {}) as {
    revision?: unknown;
    revisions?: readonly unknown[];
    index?: number;
  };
  if (revisions !== undefined) return revisions;
  if (typeof reply === "object" && reply !== null && "results" in reply) return revisionsOfMany(reply);
  return [...Array<undefined>(index ?? 0), revision];
}
