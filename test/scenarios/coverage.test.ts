// The failure scenarios that the tests must contain, each with words of the title of one test of it. Most are in this
// folder, in a file that is named for what happens. What was removed to see a test fail is said beside the test.
// Those that apply to a cluster run there as well: not-on-a-cluster.ts.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

import { notOnACluster } from "./not-on-a-cluster.ts";

const scenarios: Readonly<Record<string, string>> = {
  "one of several locks is lost": "%s is released by force while all are held",
  "the holder is stopped longer than its lease; another locks and saves; the first goes on":
    "a save that was on its way when its holder was stopped arrives after another's",
  "the holder runs, and its network swallows everything":
    "a black hole while holding: the signal has aborted when another enters",
  "the wall clock of the client jumps an hour while holding and waiting":
    "the clients' wall clocks jump by an hour while they hold and wait",
  "the wall clock of the server jumps": "the server's clock jumps an hour ahead: the lease is over",
  "the primary is killed with the replication cut, and the replica promoted":
    "a grant and a save that the new primary never saw",
  "Redis is killed and restarted empty while a lock is held":
    "the server killed and restarted empty while a lock is held and waited for",
  "Redis is killed and restarted with its append-only file":
    "the server killed and restarted with its append-only file",
  "the reply with the grant is delayed beyond the lease":
    "a grant whose reply comes after its lease: not handed out while another holds the lock",
  "the reply of a call is lost, at each point, with another writer and late copies":
    "$name, the first copy of each command arriving after a later save of the same client",
  "A's lease ends, B acquires, A releases":
    "a release that was on its way when its holder was stopped arrives when another holds the lock",
  "the subscriber connection is killed just before a release":
    "the subscriber killed just before each of many releases",
  "the next in line is killed, gives up, or is stopped as it is granted":
    "killed as it is granted: the one behind enters",
  "200 waiters, one release at a time": "200 waiters, one release at a time",
  "renewal and release race, 10 000 times":
    "renewal and release race, 10 000 times: the lock's key is gone each time",
  "waiting is aborted at each await point": "%s aborted after 0, 1, 2 … turns behind a holder",
  "two async tasks of one process; nested calls; branches inside one owner":
    "tasks, nested calls and branches at once",
  "a task that inherited a grant outlives it": "a task that inherited a grant and outlives it",
  "DEL of the lock, and FLUSHALL, behind the holder's back": "%s behind the holder's back: told as lost",
  "the script cache is emptied, and the server restarted, between calls":
    "%s between any two calls: nobody notices",
  "Redis is down, away, read-only, full, or refuses": "a server that %s when a store opens",
  "data under our key is not ours, truncated, newer, or of another serializer":
    "%s: no call reads it, none overwrites it",
  "ids and values made to hurt": "each hostile value that is taken comes back exactly",
  "the event loop is blocked longer than the lease": "blocked beyond the lease: known at once, refused",
  "close() while holding, waiting, saving": "close while holding, waiting and saving: all settle",
  "process.exit and SIGKILL while holding": "process.exit, SIGKILL, SIGTERM or an error while holding",
  "a replica is promoted and no connection breaks; subscribers stay on the old primary":
    "the primary moves, and subscribers stay (%s)",
  "the reply of a release that keeps the lock is lost for longer than the lease":
    "a release that keeps the lock, its reply lost for longer than the lease",
  "an update's function awaits an earlier update, a slow neighbour, a closed store":
    "a function may wait for an earlier update of the same state",
  "a serializer that returns views, uses its output again, or cannot read what was just saved":
    "a draft that is a view of what was stored",
  "the server closes idle connections, a tool kills them by type, or subscribes to everything":
    "idle connections are closed (%s), and nobody notices",
  "a loop that schedules itself from inside its own lock": "memory stays flat: %s",
  "the SQLite file is replaced, deleted or made read-only while it is open":
    "under load of several processes: all of them end with the error",
  "the machine sleeps; the loop is blocked just longer than a deadline":
    "awake again, a grant that was lost meanwhile is known to be",
  "a slot is moved key by key and at once, its owner is killed or paused, and the new owner's script cache is cold":
    "at once: no call fails; the new owner is a node that has never run a script",
  "a client that drops options, is of an older major, or is a pool":
    "is refused by every call, and what is stored is not read as absent",
  "a batch is refused after one of its jobs failed because of another's unsaved change":
    "a call that failed because of a change that was not saved in the end is judged again",
};

const root = join(import.meta.dirname, "../..");
const texts = ["test", "src/testing"].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.endsWith("coverage.test.ts"))
    .map((path) => readFileSync(join(root, folder, path), "utf8")),
);
/** Strings that begin with promises, as the titles of tests and cases do. */
const titles = texts.flatMap((text) => [...text.matchAll(/["'`](?:\[[SLPOE]\d+\]|\$name)[^\n]*/g)].flat());

test.each(Object.entries(scenarios))("there is a test of this: %s", (_, words) => {
  expect(titles.filter((title) => title.includes(words))).not.toEqual([]);
});

test("what is left out on a cluster is a file of this folder", () => {
  const files = readdirSync(import.meta.dirname, { recursive: true, encoding: "utf8" });
  expect(Object.keys(notOnACluster).filter((path) => !files.includes(path))).toEqual([]);
});
