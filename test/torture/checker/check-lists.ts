// What must be true of a list to which many appended: nothing acknowledged is missing, nothing is twice, nothing that failed is
// there, the order is one that really could have been, and whoever looked saw a beginning of it [S1] [S2] [S3] [S5].

import { groupBy, name, type Inquiry } from "./checker.ts";
import { prefixDigests, type Call, type Final } from "./history.ts";

export function checkLists(inquiry: Inquiry): void {
  const { history, violate } = inquiry;
  const lists = history.calls.filter(({ id }) => id.startsWith("list:"));
  const byId = groupBy(lists, ({ id }) => id);
  for (const { id, ids } of history.finals.values())
    if (ids.length > 0 && !byId.has(id)) violate("never-asked", `${id}: nobody wrote it`);
  for (const [id, calls] of byId) {
    const final = history.finals.get(id) ?? { id, revision: 0, count: 0, ids: [] };
    const list = new ListHistory(inquiry, final, calls);
    list.checkIds();
    list.checkOrder();
    list.checkLooks();
    list.checkRevisions();
  }
}

class ListHistory {
  readonly #inquiry: Inquiry;
  readonly #final: Final;
  readonly #calls: readonly Call[];
  readonly #adds = new Map<string, Call>();
  readonly #places = new Map<string, number>();

  constructor(inquiry: Inquiry, final: Final, calls: readonly Call[]) {
    this.#inquiry = inquiry;
    this.#final = final;
    this.#calls = calls;
    for (const call of calls) if (call.add !== undefined) this.#adds.set(call.add, call);
  }

  /** Every ok id is there once, no failed one, an unknown one at most once, and the counter has counted them. */
  checkIds(): void {
    const { id, ids, count } = this.#final;
    ids.forEach((add, place) => {
      const first = this.#places.get(add);
      if (first === undefined) this.#places.set(add, place);
      else this.#violate("applied-twice", `${add} stands at ${first} and at ${place}`);
      const call = this.#adds.get(add);
      if (call === undefined) this.#violate("never-asked", `${add} is there, and nobody added it`);
      else if (call.outcome === "failed")
        this.#violate("failed-present", `${name(call)} failed with ${call.code ?? "?"}, and is there`);
    });
    if (count !== ids.length) this.#violate("counter", `${id} counts ${count} and has ${ids.length}`);
    for (const call of this.#adds.values()) {
      if (call.outcome !== "ok" || this.#places.has(call.add ?? "")) continue;
      if (this.#inquiry.mayBeLost(call)) this.#count("acknowledged and lost by a failover");
      else this.#violate("lost-update", `${name(call)} was acknowledged, and is not there`);
    }
  }

  /** Nobody who had been answered stands behind somebody who began only then. */
  checkOrder(): void {
    let latest: Call | undefined;
    for (const add of this.#final.ids) {
      const call = this.#adds.get(add);
      if (call === undefined) continue;
      // What is unknown may have been done late: a copy of it can arrive after everybody has given it up.
      const answered = call.outcome === "unknown" ? Infinity : call.end;
      if (latest !== undefined && answered < latest.begin) {
        this.#violate(
          "reordered",
          `${name(call)} had been answered before ${name(latest)} began, and stands behind it`,
        );
      }
      if (latest === undefined || call.begin > latest.begin) latest = call;
    }
  }

  /** Every look shows a beginning of the final list, with all that was acknowledged before it and nothing from after it. */
  checkLooks(): void {
    const digests = prefixDigests(this.#final.ids);
    const needed = this.#neededAt();
    for (const call of this.#calls
      .filter(({ digest }) => digest !== undefined)
      .toSorted((a, b) => a.begin - b.begin)) {
      const { length = 0, count } = call;
      this.#count("looks");
      if (count !== length)
        this.#violate("counter", `${name(call)} saw the count ${String(count)} and ${length} ids`);
      if (digests[length] !== call.digest) {
        if (this.#inquiry.nearFailover(call)) this.#count("looks at what a failover lost");
        else
          this.#violate(
            "not-a-prefix",
            `${name(call)} saw ${length} ids that are not the first ones of the final list`,
          );
        continue;
      }
      if (length < needed(call.begin)) {
        this.#violate(
          "stale-look",
          `${name(call)} saw ${length} ids; ${needed(call.begin)} had been acknowledged before it began`,
        );
      }
      const last = this.#adds.get(this.#final.ids[length - 1] ?? "");
      if (last !== undefined && last.begin > call.end)
        this.#violate("future-look", `${name(call)} saw ${name(last)}`);
    }
  }

  /** Later in the list means a greater revision, and the same revision means the same list. */
  checkRevisions(): void {
    const { id, revision, ids } = this.#final;
    const seen = [{ revision, length: ids.length, who: id }];
    for (const call of this.#calls) {
      if (call.outcome !== "ok" || call.revision === undefined) continue;
      if (call.op === "read" && this.#inquiry.nearFailover(call)) continue;
      const place = call.add === undefined ? undefined : this.#places.get(call.add);
      if (call.add !== undefined && place === undefined) continue; // lost, and told above
      const length = place === undefined ? (call.length ?? 0) : place + 1;
      seen.push({ revision: call.revision, length, who: name(call) });
    }
    seen.sort((a, b) => a.revision - b.revision || a.length - b.length);
    for (const [at, later] of seen.entries()) {
      const earlier = seen[at - 1];
      if (earlier === undefined) continue;
      const same = earlier.revision === later.revision;
      if (same ? earlier.length === later.length : earlier.length < later.length) continue;
      this.#violate(
        "revision-back",
        `${later.who}: ${later.length} ids at revision ${later.revision}; ${earlier.who}: ${earlier.length} at ${earlier.revision}`,
      );
    }
  }

  /** How long the list must be for a look that begins then: up to the last place that was acknowledged before. */
  #neededAt(): (begin: number) => number {
    const acknowledged = [...this.#places]
      .map(([add, place]) => ({ end: this.#endOf(add), length: place + 1 }))
      .sort((a, b) => a.end - b.end);
    let at = 0;
    let length = 0;
    return (begin) => {
      for (
        let next = acknowledged[at];
        next !== undefined && next.end < begin;
        next = acknowledged[(at += 1)]
      ) {
        length = Math.max(length, next.length);
      }
      return length;
    };
  }

  /** When it was acknowledged; never, if it was not. */
  #endOf(add: string): number {
    const call = this.#adds.get(add);
    return call?.outcome === "ok" ? call.end : Infinity;
  }

  #violate(rule: string, text: string): void {
    this.#inquiry.violate(rule, `${this.#final.id}: ${text}`);
  }

  #count(figure: string): void {
    const { figures } = this.#inquiry;
    figures[figure] = (figures[figure] ?? 0) + 1;
  }
}
