/** What a run of the bench leaves: plain data, from which tables, results and charts are made, also later from JSON. */

/** What a round tells of one contender, each as a number per round. Times in ms or µs, as the name says. */
export interface Figures {
  opsPerSecond: number[];
  p50Ms: number[];
  p90Ms: number[];
  p99Ms: number[];
  p999Ms: number[];
  maxMs: number[];
  /** Client CPU per operation, of all worker processes together. */
  clientUs: number[];
  /** All CPU of the server's process per operation. */
  serverUs: number[];
  /** What the server spent inside commands, by INFO commandstats, per operation. */
  commandUs: number[];
  /** Commands that the server got per operation, those inside scripts not counted. */
  commands: number[];
  /** Most served caller over least served, of one process. */
  callers: number[];
  /** Most served process over least served. */
  processes: number[];
  /** Share of the time that was spent inside the critical section. */
  useful: number[];
}

export type Metric = keyof Figures;

/** A counter that must come out right. */
export interface Check {
  readonly what: string;
  readonly expected: number;
  /** How many more there may be: operations that failed, or were under way when a worker that would not end was killed. */
  readonly slack: number;
  readonly found: number;
}

/** One contender in one configuration of a case. */
export interface Measured {
  readonly config: string;
  readonly contender: string;
  readonly kind: "ours" | "peer" | "floor";
  readonly figures: Figures;
  /** By message, all rounds. */
  readonly errors: Record<string, number>;
  readonly checks: Check[];
}

export interface Table {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly note?: string;
}

/** A mark of the plan, and what came out. `met` is null when this run cannot tell. */
export interface Mark {
  readonly mark: string;
  readonly value: string;
  readonly met: boolean | null;
}

export interface CaseResult {
  readonly name: string;
  readonly title: string;
  /** How it was measured. */
  readonly about: string;
  readonly seconds: number;
  readonly measured: readonly Measured[];
  readonly tables: readonly Table[];
  readonly marks: readonly Mark[];
}

export interface Results {
  readonly date: string;
  readonly commit: string;
  readonly quick: boolean;
  /** Only these cases were asked for; empty: all. */
  readonly only: readonly string[];
  readonly rounds: number;
  readonly machine: Readonly<Record<string, string>>;
  readonly contenders: readonly { name: string; version: string; settings: string }[];
  readonly cases: readonly CaseResult[];
  readonly seconds: number;
}

export function noFigures(): Figures {
  return {
    opsPerSecond: [],
    p50Ms: [],
    p90Ms: [],
    p99Ms: [],
    p999Ms: [],
    maxMs: [],
    clientUs: [],
    serverUs: [],
    commandUs: [],
    commands: [],
    callers: [],
    processes: [],
    useful: [],
  };
}

export function isRight({ expected, found, slack }: Check): boolean {
  return found >= expected && found <= expected + slack;
}
