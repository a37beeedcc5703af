// A history that is made by hand, line by line, as a run would write it.

import { check, type Findings } from "./checker.ts";
import { digest, History } from "./history.ts";

/** Ten milliseconds pass with each line, unless a test sets the time itself. */
export class Story {
  readonly #history = new History();
  #at = 0;
  #n = 0;
  /** By the last id, or by how many there are. */
  readonly #revisions = new Map<unknown, unknown>();

  constructor(run: object = {}) {
    this.line("run", { backend: "redis", ...run });
    for (const life of ["1.1", "2.1"]) this.line("life", { life });
  }

  line(ev: string, fields: object): this {
    this.#at += 10e6;
    this.#history.add({ ev, at: this.#at, ...fields });
    return this;
  }

  wait(ms: number): this {
    this.#at += ms * 1e6;
    return this;
  }

  begin(life: string, op: string, fields: object): number {
    const n = (this.#n += 1);
    this.line("begin", { life, n, caller: 0, op, id: "list:0", ...fields });
    return n;
  }

  end(life: string, n: number, fields: object = {}): this {
    return this.line("end", { life, n, outcome: "ok", ...fields });
  }

  /** A whole call. */
  call(life: string, op: string, fields: object, answer: object = {}): this {
    if ("revision" in answer)
      this.#revisions.set(
        "add" in fields ? fields.add : (answer as { length?: number }).length,
        answer.revision,
      );
    return this.end(life, this.begin(life, op, fields), answer);
  }

  add(life: string, add: string, answer: object = {}, fields: object = {}): this {
    return this.call(life, "update", { add, ...fields }, answer);
  }

  saw(life: string, ids: string[], revision: number): this {
    return this.call(
      life,
      "read",
      {},
      { revision, count: ids.length, length: ids.length, digest: digest(ids) },
    );
  }

  hold(life: string, h: number, fence: number, fields: object = {}): this {
    const asked = this.#at;
    return this.line("held", { life, h, caller: 0, id: "list:0", fence, asked, leaseMs: 1_000, ...fields });
  }

  release(life: string, h: number, answer: boolean | "unknown" = true): this {
    return this.line("left", { life, h, how: "release" }).line("released", { life, h, answer });
  }

  /** How it is in the end, and what the checker says. */
  ends(ids: string[], count = ids.length): Findings {
    const revision = this.#revisions.get(ids.at(-1)) ?? this.#revisions.get(ids.length) ?? 1_000;
    this.line("final", { id: "list:0", revision, value: { count, ids } });
    return check(this.#history.close());
  }
}

/** The rules that were broken. */
export const rules = ({ violations }: Findings): string[] => [...new Set(violations.map(({ rule }) => rule))];
