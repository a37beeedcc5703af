// The command line of the history check.

import { parseArgs } from "node:util";

import type { Backend } from "./checker/history.ts";

export const backends: readonly Backend[] = [
  "redis",
  "redis-replicas",
  "redis-shards",
  "redis-cluster",
  "sqlite",
];

/** Every fault by name; which backend takes which. */
export const faultsOf: Readonly<Record<Backend, readonly string[]>> = {
  redis: [
    ...["worker-kill", "worker-stop", "worker-block", "worker-clock"],
    ...["server-kill", "server-stop", "server-clock", "clients-kill", "idle-timeout", "scripts-flush"],
    ...["lose-reply", "lose-request", "late-copy", "black-hole", "hang", "delay", "cut", "throttle"],
  ],
  "redis-replicas": [
    ...["worker-kill", "worker-stop", "worker-block", "worker-clock"],
    ...["failover", "replication-cut", "server-stop", "clients-kill", "idle-timeout", "scripts-flush"],
    ...["lose-reply", "lose-request", "late-copy", "black-hole", "hang", "delay", "cut", "throttle"],
  ],
  "redis-shards": [
    ...["worker-kill", "worker-stop", "worker-block", "worker-clock"],
    ...["server-kill", "server-stop", "clients-kill", "idle-timeout", "scripts-flush"],
    ...["lose-reply", "lose-request", "late-copy", "black-hole", "hang", "delay", "cut", "throttle"],
  ],
  "redis-cluster": [
    ...["worker-kill", "worker-stop", "worker-block", "worker-clock"],
    ...["failover", "planned-failover", "slot-key-by-key", "slot-at-once", "other-node"],
    ...["clients-kill", "idle-timeout", "scripts-flush"],
    ...["lose-reply", "lose-request", "late-copy", "black-hole", "hang", "delay", "cut", "throttle"],
  ],
  sqlite: ["worker-kill", "worker-stop", "worker-block", "machine-clock"],
};

/** Those of `--transfers`, unless others are named. */
const faultsOfTransfers = ["worker-kill", "worker-stop", "cut"];

/** How many there are. */
const replicasOf: Readonly<Partial<Record<Backend, number>>> = { "redis-replicas": 2, "redis-cluster": 1 };

export const help = `npm run torture -- [options]

Many processes update shared states while faults are injected; then their history is checked. Exit code 1: a promise was broken.

  --backend <name>   ${backends.join(", ")}; default redis
  --seconds <n>      how long processes work, 60; the last part of it without faults
  --seed <text>      what to repeat; default: a new one, which is printed
  --processes <n>    how many at once, 4
  --faults <names>   all (default), none, or some of these, with commas between them:
${backends.map((name) => `                     ${name}: ${faultsOf[name].join(" ")}`).join("\n")}
  --durability <n>   redis-replicas, redis-cluster (1): ask for n replicas' acknowledgement of everything; then nothing may
                     be lost
  --transfers <n>    instead of all that: n transfers between 100 accounts by processes that are killed, stopped and cut off;
                     then the accounts are counted. Takes --backend, --seed, --processes and --faults
  --log <file>       keep the history there (format: test/torture/checker/history.ts); without it, only a bad one is kept
  --help
`;

export interface Options {
  readonly help: boolean;
  readonly backend: Backend;
  readonly seconds: number;
  readonly seed: string;
  readonly processes: number;
  readonly faults: readonly string[];
  /** Faults that were named, not meant by "all": they must be possible here. */
  readonly insist: boolean;
  readonly durability: number | undefined;
  readonly log: string | undefined;
  /** So many transfers are made, instead of a history of everything. */
  readonly transfers: number | undefined;
}

export class UsageError extends Error {}

export function readOptions(args: readonly string[]): Options {
  const values = parse(args);
  const backend = oneOf("--backend", values.backend ?? "redis", backends);
  const transfers =
    values.transfers === undefined ? undefined : whole("--transfers", values.transfers, { min: 1, max: 1e9 });
  const faults =
    transfers !== undefined && values.faults === undefined
      ? faultsOfTransfers.filter((fault) => faultsOf[backend].includes(fault))
      : readFaults(values.faults ?? "all", backend);
  const replicas = replicasOf[backend];
  if (values.durability !== undefined && replicas === undefined)
    throw new UsageError(`--durability is for --backend ${Object.keys(replicasOf).join(" and ")}`);
  if (values.seed === "") throw new UsageError("--seed takes a text that is not empty");
  return {
    help: values.help ?? false,
    backend,
    seconds: whole("--seconds", values.seconds ?? "60", { min: 5, max: 86_400 }),
    seed: values.seed ?? Math.random().toString(36).slice(2, 10),
    processes: whole("--processes", values.processes ?? "4", { min: 1, max: 64 }),
    faults,
    insist: values.faults !== undefined && values.faults !== "all",
    durability:
      values.durability === undefined
        ? undefined
        : whole("--durability", values.durability, { min: 1, max: replicas ?? 0 }),
    log: values.log,
    transfers,
  };
}

function readFaults(text: string, backend: Backend): readonly string[] {
  if (text === "all") return faultsOf[backend];
  if (text === "none") return [];
  return text
    .split(",")
    .map((name) => oneOf(`--faults on ${backend}`, name.trim(), [...faultsOf[backend], "all", "none"]));
}

function oneOf<T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((name) => name === value);
  if (found === undefined)
    throw new UsageError(`${option}: there is no "${value}"; there are: ${allowed.join(", ")}`);
  return found;
}

export function whole(option: string, text: string, { min, max }: { min: number; max: number }): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isInteger(value) || value < min || value > max)
    throw new UsageError(`${option} takes a whole number from ${min} to ${max}; got "${text}"`);
  return value;
}

function parse(args: readonly string[]) {
  const text = { type: "string" } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        help: { type: "boolean" },
        backend: text,
        seconds: text,
        seed: text,
        processes: text,
        faults: text,
        durability: text,
        log: text,
        transfers: text,
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
