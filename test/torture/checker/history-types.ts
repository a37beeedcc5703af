// What a history consists of, once it is read. The log itself is described in history.ts.

export type Outcome = "ok" | "failed" | "unknown";
export type Backend = "redis" | "redis-replicas" | "redis-shards" | "redis-cluster" | "sqlite";

export interface Line {
  readonly ev: string;
  readonly at: number;
  readonly [field: string]: unknown;
}

/** What the states `list:…` hold. */
export interface List {
  count: number;
  ids: string[];
}

export interface Call {
  readonly life: string;
  readonly n: number;
  readonly caller: number;
  readonly op: string;
  readonly id: string;
  readonly add: string | undefined;
  readonly hold: number | undefined;
  readonly begin: number;
  end: number;
  outcome: Outcome;
  code: string | undefined;
  revision: number | undefined;
  fence: number | undefined;
  count: number | undefined;
  length: number | undefined;
  digest: string | undefined;
  /** What an audit of accounts found wrong with them. */
  torn: string | undefined;
  readonly proclaims: string | undefined;
  value: string | null | undefined;
}

/** The function of a once was called. */
export interface Run {
  readonly life: string;
  readonly id: string;
  readonly at: number;
  readonly fence: number;
  readonly attempt: number;
  readonly value: string;
}

export interface Hold {
  readonly life: string;
  readonly h: number;
  readonly id: string;
  readonly fence: number;
  readonly asked: number;
  readonly from: number;
  readonly leaseMs: number;
  /** An update's function, whose fence others of its batch share. */
  readonly draft: boolean;
  /** Others may share it. */
  readonly shared: boolean;
  /** How many permits it has of a semaphore that has `limit`; `limit` is `undefined` for a lock. */
  readonly weight: number;
  readonly limit: number | undefined;
  /** Until it let go; `Infinity`: the process died with it. */
  until: number;
  how: "release" | "abort" | "death";
  answer: boolean | "unknown" | undefined;
  /** When it was answered; `Infinity`: never. */
  releasedAt: number;
}

export interface Span {
  readonly from: number;
  to: number;
}

export interface FaultSpan extends Span {
  readonly name: string;
  readonly detail: Line;
}

export interface Final extends List {
  readonly id: string;
  readonly revision: number;
}
