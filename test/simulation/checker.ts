// Judges a run. The rules of the history check (test/torture/checker/checker.ts) hold here as well; these are added, which need to know
// what really happened on the server, or that nothing took any time but what the world says.
//
// | rule | what is wrong |
// |---|---|
// | applied-twice, failed-present, lost-update | as there, also of states that are replaced or deleted [S3] [S5] |
// | dirty-read | an answer was made of a value that never came to be [S3] [S5] |
// | unexplained-conflict, wrong-base | the state was at `ifRevision` all the time; a save replaced another revision [S2] |
// | held-past-lease | the signal had not aborted when the server's lease ended [L5] |
// | not-settled, late-timeout | a call never had an answer; one that waited for a lock had it late |
// | not-calm | something failed, or was "unknown", where nothing went wrong |
// | stale-save, half-commit, revision-back, fence-back | seen on the server: [S4] [S8], [S9], [S2], [L3] |

import { check } from "../torture/checker/checker.ts";
import { History, type Call, type Line } from "../torture/checker/history.ts";
import type { Version } from "./server/ledger.ts";
import type { Remains } from "./world.ts";

export interface Violation {
  readonly rule: string;
  readonly text: string;
}

/** What a function was shown when it was called last, by what it was to append. */
interface Sight {
  readonly id: string;
  readonly ids: readonly string[];
}

export interface Verdict {
  readonly violations: readonly Violation[];
  readonly calls: readonly Call[];
}

export function judge(remains: Remains): Verdict {
  const history = new History();
  for (const line of remains.lines) history.add(line);
  const violations = [...remains.seen, ...check(history.close()).violations];
  const judgement = new Judgement(remains, history, (rule, text) => violations.push({ rule, text }));
  judgement.checkBirths();
  judgement.checkSights();
  judgement.checkConditions();
  judgement.checkLeases();
  judgement.checkSettled();
  if (remains.setting.isCalm) judgement.checkCalm();
  return { violations, calls: history.calls };
}

/** The rest may be replaced by a later job of the same batch, and then never was stored by itself. */
const isList = ({ id }: Call): boolean => id.startsWith("list");
const msOf = (ns: number): number => ns / 1e6;

class Judgement {
  readonly #remains: Remains;
  readonly #history: History;
  readonly #violate: (rule: string, text: string) => void;
  readonly #adds = new Map<string, Call>();

  constructor(remains: Remains, history: History, violate: (rule: string, text: string) => void) {
    this.#remains = remains;
    this.#history = history;
    this.#violate = violate;
    for (const call of history.calls) if (call.add !== undefined) this.#adds.set(call.add, call);
  }

  /** Each id comes to be once: what is there in one version and was not in the one before. */
  checkBirths(): void {
    const births = new Map<string, number>();
    for (const id of this.#remains.ledger.ids) {
      let before: Version["ids"] = [];
      for (const { ids } of this.#remains.ledger.versions(id)) {
        for (const add of ids) if (!before.includes(add)) births.set(add, (births.get(add) ?? 0) + 1);
        before = ids;
      }
    }
    for (const [add, call] of this.#adds) {
      const born = births.get(add) ?? 0;
      const told = `${call.op} ${add} of ${call.id} (${call.outcome}${call.code === undefined ? "" : `, ${call.code}`})`;
      if (born > 1) this.#violate("applied-twice", `${told} came to be ${born} times`);
      if (born > 0 && call.outcome === "failed") this.#violate("failed-present", `${told} came to be`);
      if (born === 0 && call.outcome === "ok" && isList(call))
        this.#violate("lost-update", `${told} never came to be`);
    }
  }

  /** What counts is the last call of a function, where its answer says anything of the state. */
  checkSights(): void {
    for (const [add, { id, ids }] of this.#lastSights()) {
      const call = this.#adds.get(add);
      if (call === undefined || !isList(call) || !(call.outcome === "ok" || call.code === "DELIBERATE"))
        continue;
      const base = call.outcome === "ok" ? [...ids, add] : ids;
      const isReal = this.#remains.ledger
        .versions(id)
        .some((version) => msOf(call.end) >= version.at && begins(version.ids, base));
      if (isReal || base.length === 0) continue;
      this.#violate(
        "dirty-read",
        `${call.op} ${add} was answered from [${base.join(" ")}], which ${id} never was`,
      );
    }
  }

  /** [S2] `ifRevision` is compared with what is there. */
  checkConditions(): void {
    for (const line of this.#lines("begin")) {
      const wanted = line["ifRevision"] as number | "absent" | undefined;
      const call = this.#adds.get(String(line["add"]));
      if (wanted === undefined || call === undefined) continue;
      const isWanted = ({ revision }: Pick<Version, "revision">): boolean =>
        (revision ?? "absent") === wanted;
      const { ledger } = this.#remains;
      if (call.code === "CONFLICT") {
        const during = ledger.during(call.id, msOf(call.begin), msOf(call.end));
        if (during.every(isWanted) && !this.#mayHaveBeenUndone(call))
          this.#violate(
            "unexplained-conflict",
            `save ${String(call.add)}: ${call.id} was at ${wanted} all the time`,
          );
      } else if (call.outcome === "ok") {
        const versions = ledger.versions(call.id);
        const at = versions.findIndex(({ revision }) => revision === call.revision);
        if (!isWanted(versions[at - 1] ?? { revision: null }))
          this.#violate("wrong-base", `save ${String(call.add)}: ${call.id} was not at ${wanted}`);
      }
    }
  }

  /** The jobs of a batch are judged in their order, and stored as one: what one wrote and a later one deleted never was on the server. */
  #mayHaveBeenUndone({ life, id, begin, end }: Call): boolean {
    const others = this.#history.calls.filter(
      (call) => call.life === life && call.id === id && call.begin <= end && call.end >= begin,
    );
    return (
      others.some(({ op, outcome }) => op === "delete" && outcome !== "failed") &&
      others.some(({ add, outcome }) => add !== undefined && outcome !== "failed")
    );
  }

  /** [L5] Timers may be late by a little, and by as long as the process did not run. */
  checkLeases(): void {
    for (const { life, id, fence, until, from } of this.#history.holds) {
      const end = this.#remains.ledger.leaseEnd(id, fence) + 3;
      const stalls = this.#history.stalls.get(life) ?? [];
      const excused = stalls.reduce(
        (to, stall) => (msOf(stall.from) <= to ? Math.max(to, msOf(stall.to) + 3) : to),
        end,
      );
      if (msOf(until) <= excused) continue;
      const text = `${id}: ${life} held fence ${fence} from ${msOf(from)} until ${msOf(until)} ms; its lease was over at ${end - 3}`;
      this.#violate("held-past-lease", text);
    }
  }

  /** In time, where the answer is that there was no time left. */
  checkSettled(): void {
    const dead = new Set(this.#history.deaths.map(({ life }) => life));
    const waits = new Map(
      this.#lines("begin").map((line) => [`${String(line["life"])}#${String(line["n"])}`, line]),
    );
    for (const call of this.#history.calls) {
      const name = `${call.op} ${call.add ?? call.n} of ${call.life} on ${call.id}`;
      if (call.end === Infinity) {
        if (!dead.has(call.life)) this.#violate("not-settled", `${name} never had an answer`);
      } else if (call.code === "LOCK_TIMEOUT") {
        const { waitMs, operationMs } = this.#remains.setting.options;
        const given = Number(waits.get(`${call.life}#${call.n}`)?.["waitMs"] ?? waitMs);
        const tookMs = msOf(call.end - call.begin) - this.#stalledMs(call);
        if (tookMs > given + 3 * operationMs)
          this.#violate("late-timeout", `${name} waited for ${tookMs} of ${given} ms`);
      }
    }
  }

  /** Where nothing goes wrong nothing is said to have gone wrong. */
  checkCalm(): void {
    const fine = new Set([undefined, "DELIBERATE", "CONFLICT", "LOCK_TIMEOUT", "LOCK_LOST"]);
    const forced = this.#history.calls.some(({ op }) => op === "force");
    for (const { op, code, outcome, add, n } of this.#history.calls) {
      if (outcome === "unknown" || !fine.has(code) || (code === "LOCK_LOST" && !forced))
        this.#violate("not-calm", `${op} ${add ?? n}: ${outcome}, ${String(code)}`);
    }
    if (forced) return;
    for (const { id, fence, answer, how } of this.#history.holds) {
      if (answer === false || how === "abort")
        this.#violate("not-calm", `${id}: fence ${fence} was lost (${how}, ${String(answer)})`);
    }
  }

  #stalledMs({ life, begin, end }: Call): number {
    const stalls = this.#history.stalls.get(life) ?? [];
    return msOf(
      stalls.reduce((sum, { from, to }) => sum + Math.max(0, Math.min(to, end) - Math.max(from, begin)), 0),
    );
  }

  #lastSights(): Map<string, Sight> {
    const sights = new Map<string, Sight>();
    for (const line of this.#lines("saw"))
      sights.set(String(line["add"]), { id: String(line["id"]), ids: line["ids"] as string[] });
    return sights;
  }

  #lines(ev: string): Line[] {
    return this.#remains.lines.filter((line) => line.ev === ev);
  }
}

function begins(ids: readonly string[], base: readonly string[]): boolean {
  return base.length <= ids.length && base.every((add, n) => ids[n] === add);
}
