// The failure scenarios that the tests must contain, and that none is missing: each is named as "scenario 7" in the
// title of at least one test. What was taken out to see it fail stands beside the test. Whether the test is any good,
// nobody can say here.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const scenarios: readonly string[] = [
  "the holder is stopped longer than its lease; another locks and saves; the first goes on",
  "the holder runs, and its network swallows everything",
  "the wall clock of the client jumps an hour while holding and waiting",
  "the wall clock of the server jumps",
  "the primary is killed with the replication cut, and the replica promoted",
  "Redis is killed and restarted empty while a lock is held",
  "Redis is killed and restarted with its append-only file",
  "the reply with the grant is delayed beyond the lease",
  "the reply of a call is lost, at each point, with another writer and late copies",
  "A's lease ends, B acquires, A releases",
  "the subscriber connection is killed just before a release",
  "the next in line is killed, gives up, or is stopped as it is granted",
  "200 waiters, one release at a time",
  "renewal and release race, 10 000 times",
  "waiting is aborted at each await point",
  "two async tasks of one process; nested calls; branches inside one owner",
  "a task that inherited a grant outlives it",
  "DEL of the lock, and FLUSHALL, behind the holder's back",
  "the script cache is emptied, and the server restarted, between calls",
  "Redis is down, away, read-only, full, or refuses",
  "data under our key is not ours, truncated, newer, or of another serializer",
  "ids and values made to hurt",
  "the event loop is blocked longer than the lease",
  "close() while holding, waiting, saving",
  "process.exit and SIGKILL while holding",
  "a replica is promoted and no connection breaks; subscribers stay on the old primary",
  "the reply of a release that keeps the lock is lost for longer than the lease",
  "an update's function awaits an earlier update, a slow neighbour, a closed store",
  "a serializer that returns views, uses its output again, or cannot read what was just saved",
  "the server closes idle connections, a tool kills them by type, or subscribes to everything",
  "a loop that schedules itself from inside its own lock",
  "the SQLite file is replaced, deleted or made read-only while it is open",
  "the machine sleeps; the loop is blocked just longer than a deadline",
  "a slot of a cluster is moved, or its owner killed",
  "a client that drops options, is of an older major, or is a pool",
  "a batch is refused after one of its jobs failed because of another's unsaved change",
];
/** There are no clusters yet. */
const notYet: ReadonlySet<number> = new Set([34]);

const root = join(import.meta.dirname, "../..");
const texts = ["test", "src/testing"].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.endsWith("coverage.test.ts"))
    .map((path) => readFileSync(join(root, folder, path), "utf8")),
);
/** Names of tests and cases: strings that begin with a scenario or with promises. */
const titles = texts.flatMap((text) => [...text.matchAll(/["'`](?:scenario \d|\[[SLP]\d+\])[^\n]*/g)].flat());

test.each(
  scenarios.map((what, index) => ({ number: index + 1, what })).filter(({ number }) => !notYet.has(number)),
)("scenario $number has a test: $what", ({ number }) => {
  const named = new RegExp(`\\bscenario ${String(number)}\\b`);
  expect(titles.filter((title) => named.test(title))).not.toEqual([]);
});
