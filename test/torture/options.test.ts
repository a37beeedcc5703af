// The command line of the history check: what it takes, and that what it does not take is said clearly.

import { expect, test } from "vitest";

import { faultsOf, readOptions } from "./options.ts";
import { Random } from "./random.ts";

test("defaults: a minute on Redis with all faults, and a seed of its own", () => {
  const options = readOptions([]);
  expect(options).toMatchObject({
    backend: "redis",
    seconds: 60,
    processes: 4,
    faults: faultsOf.redis,
    insist: false,
  });
  expect(options.seed).not.toBe(readOptions([]).seed);
});

test("what is given is taken", () => {
  const given =
    "--backend sqlite --seconds 1800 --seed x --processes 8 --faults worker-kill,worker-stop --log x.jsonl";
  expect(readOptions(given.split(" "))).toEqual({
    help: false,
    backend: "sqlite",
    seconds: 1_800,
    seed: "x",
    processes: 8,
    faults: ["worker-kill", "worker-stop"],
    insist: true,
    durability: undefined,
    log: "x.jsonl",
    transfers: undefined,
  });
  expect(readOptions(["--faults", "none"]).faults).toEqual([]);
});

test("transfers: with the faults that they are made under, unless others are named", () => {
  expect(readOptions(["--transfers", "1000000"])).toMatchObject({
    transfers: 1_000_000,
    faults: ["worker-kill", "worker-stop", "cut"],
  });
  const onSqlite = ["--transfers", "5", "--backend", "sqlite"];
  expect(readOptions(onSqlite).faults).toEqual(["worker-kill", "worker-stop"]);
  expect(readOptions([...onSqlite, "--faults", "none"]).faults).toEqual([]);
});

test.each([
  [
    "--backend mysql",
    /there is no "mysql"; there are: redis, redis-replicas, redis-shards, redis-cluster, sqlite/,
  ],
  ["--seconds soon", /--seconds takes a whole number from 5 to 86400; got "soon"/],
  ["--seconds 1.5", /--seconds takes a whole number/],
  ["--processes 0", /--processes takes a whole number from 1 to 64/],
  [
    "--backend sqlite --faults server-kill",
    /--faults on sqlite: there is no "server-kill"; there are: worker-kill/,
  ],
  ["--faults worker-kill,fire", /there is no "fire"/],
  ["--durability 1", /--durability is for --backend redis-replicas and redis-cluster/],
  ["--backend redis-replicas --durability 3", /--durability takes a whole number from 1 to 2/],
  ["--backend redis-cluster --durability 2", /--durability takes a whole number from 1 to 1/],
  ["--transfers few", /--transfers takes a whole number/],
  ["--colour", /--colour/],
  ["now", /now/],
])("%s is refused", (args, message) => {
  expect(() => readOptions(args.split(" "))).toThrow(message);
});

test("a seed repeats its choices, another one makes others", () => {
  const choices = (seed: string): number[] => {
    const random = new Random(seed);
    return Array.from({ length: 20 }, () => random.whole(0, 1_000));
  };
  expect(choices("a")).toEqual(choices("a"));
  expect(choices("a")).not.toEqual(choices("b"));
  const random = new Random("weights");
  const picked = Array.from({ length: 1_000 }, () => random.weighted({ often: 9, seldom: 1, never: 0 }));
  expect(picked).not.toContain("never");
  expect(picked.filter((name) => name === "often").length).toBeGreaterThan(800);
});
