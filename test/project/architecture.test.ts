// Imports go one way, and files look alike: read from the text of src/ and, for the latter, test/, so that a partial tree can be
// checked too.
// Type imports count as well: who reads a file should not have to know the files above it.

import { readFileSync, readdirSync } from "node:fs";
import { basename, join, posix } from "node:path";
import { expect, test } from "vitest";

interface Import {
  readonly from: string;
  readonly to: string; // a path below src/ (it ends in .ts), or a package
  readonly kind: "static" | "type" | "dynamic";
}

const root = join(import.meta.dirname, "../../src");
const generated = ["backends/redis/scripts/generated.ts"];
const files = filesBelow(root);
const tests = filesBelow(join(root, "../test"));
const imports = [...files].flatMap(([path, text]) => importsOf(path, text));

/** A file may import from its own floor and from those below. Backends and the suites stand beside the house. */
const floors = [
  /^cli\//, // the command line
  /^(index|backend|msgpack|pickle|reshard)\.ts$/,
  /^(resharding|statefulpy|redlock|opentelemetry)\//, // how the number of shards is changed; the interfaces of other libraries; spans and metrics
  /^open\.ts$/,
  /^opening\//, // what an opened store has to do with its process
  /^store\//, // an opened store
  /^handles\//, // what users hold
  /^session\.ts$/,
  /^scheduling\//, // who is next in this process
  /^updates\//, // what becomes of a value
  /^ownership\//, // who may nest
  /^leases\//, // how long a ticket is ours
  /^calls\//, // one call of a backend
  /^backends\/(contract|forward|lazy|contract-commit|contract-formats|contract-listing|contract-plain|contract-shares|contract-types|contract-waits|examination|retry-proofs|shard-mark|shard-of|shard-targets)\.ts$|^(serializers|process|time|diagnostics|ids)\/|^[^/]+\.ts$/, // the contract, errors, options, timers …
];
/** The same within the Redis backend. */
const redisFloors = [
  /^backends\/redis\/doctor\//, // what is asked of a server, for people
  /^backends\/redis\/((statefulpy|many|indexing)\/)?[^/]+\.ts$/, // the backend, and what it does besides scripts that serve many operations
  /^backends\/redis\/pipeline\//, // which operations go into one script, and when
  /^backends\/redis\/protocol\//, // keys, arguments, replies and stored values
  /^backends\/redis\/(client|scripts)\//, // connections; the scripts
];
const floorOf = (path: string, of = floors): number => of.findIndex((floor) => floor.test(path));

/** `backends/redis/protocol/keys.ts` → `redis`; the contract and what stands beside it belong to none. */
function roomOf(path: string): string | undefined {
  return /^backends\/([a-z0-9]+)\//.exec(path)?.[1];
}

/** The text of each TypeScript file, by its path below the folder. */
function filesBelow(folder: string): Map<string, string> {
  const paths = readdirSync(folder, { recursive: true, encoding: "utf8" }).map((path) =>
    path.replaceAll("\\", "/"),
  );
  return new Map(
    paths
      .filter((path) => path.endsWith(".ts"))
      .map((path) => [path, readFileSync(join(folder, path), "utf8")]),
  );
}

function importsOf(from: string, text: string): Import[] {
  const code = text.replaceAll(/^\s*(\/\/|\/?\*).*$/gm, ""); // examples in comments import, too
  const found = code.matchAll(
    /^(?:import|export)\s+(type\s)?(?:[\w$*{},\s]+\sfrom\s)?\s*"([^"]+)"|\bimport\(\s*"([^"]+)"/gm,
  );
  return [...found].map(([, type, named, dynamic]) => {
    const target = named ?? dynamic ?? "";
    const to = target.startsWith(".") ? posix.join(posix.dirname(from), target) : target;
    return { from, to, kind: dynamic !== undefined ? "dynamic" : type !== undefined ? "type" : "static" };
  });
}

const offenders = (isWrong: (entry: Import) => boolean): string[] =>
  imports.filter(isWrong).map(({ from, to, kind }) => `${from} → ${to} (${kind})`);

test("every file has a floor or a room", () => {
  const lost = [...files.keys()].filter(
    (path) => floorOf(path) < 0 && roomOf(path) === undefined && !path.startsWith("testing/"),
  );
  expect(lost).toEqual([]);
});

test("imports go down", () => {
  for (const of of [floors, redisFloors]) {
    const goesUp = ({ from, to }: Import): boolean =>
      floorOf(from, of) >= 0 && floorOf(to, of) >= 0 && floorOf(to, of) < floorOf(from, of);
    expect(offenders(goesUp)).toEqual([]);
  }
});

test("a backend imports the contract, the shared protocol, errors, diagnostics, timers and its own files", () => {
  const below =
    /^(backends\/(contract|contract-commit|contract-formats|contract-listing|contract-plain|contract-shares|contract-types|contract-waits|examination|forward|retry-proofs|shard-mark|shard-of)|errors|diagnostics\/events|ids\/id-order|time\/event-loop-yield|timers)\.ts$|^backends\/rows\//;
  const reachesOut = ({ from, to }: Import): boolean =>
    roomOf(from) !== undefined && files.has(to) && !below.test(to) && roomOf(to) !== roomOf(from);
  expect(offenders(reachesOut)).toEqual([]);
});

test("what a client can prove is known to its backend, and to nothing above", () => {
  const isWrong = ({ from, to }: Import): boolean =>
    to === "backends/retry-proofs.ts" && roomOf(from) === undefined;
  expect(offenders(isWrong)).toEqual([]);
});

const targetParsers = [
  "backends/redis/client/target-url.ts",
  "backends/redis/client/cluster-target.ts",
  "backends/redis/client/user/cluster-types.ts",
  "backends/redis/client/user/recognize.ts",
  "backends/sqlite/path.ts",
];

/** Those that name backends: each is the one door of an interface. */
const doors = ["open.ts", "statefulpy/places.ts"];

test("only the doors name backends, and load them when a target asks for one", () => {
  const names = ({ from, to, kind }: Import): boolean =>
    roomOf(to) !== undefined &&
    roomOf(from) === undefined &&
    !(from.startsWith("opening/") && targetParsers.includes(to)) &&
    !(from === "cli/store-options.ts" && to === "backends/sqlite/path.ts") && // whether there is a file
    !(doors.includes(from) && (kind !== "static" || targetParsers.includes(to))) && // a target is read at the door
    !(/^testing\/(index\.ts|applications\/)/.test(from) && to === "backends/memory/backend.ts") && // what a FaultyBackend can wrap, and a world is made of
    !(from.startsWith("testing/") && to === "backends/redis/client/client-port.ts"); // what a client suite describes
  expect(offenders(names)).toEqual([]);
});

/** Each is in an entry of its own, which nothing else of src/ imports. */
const ownPackages: readonly (readonly [RegExp, string])[] = [
  [/^opentelemetry\//, "@opentelemetry/api"],
  [/^serializers\/msgpack\//, "msgpackr"],
];

test("only backends import packages, and two entries the one that they are for; what is Node's own is imported as node:", () => {
  const isForeign = ({ from, to }: Import): boolean =>
    !to.endsWith(".ts") &&
    !to.startsWith("node:") &&
    roomOf(from) === undefined &&
    !ownPackages.some(([folder, name]) => folder.test(from) && to === name);
  expect(offenders(isForeign)).toEqual([]);
  const isReached = ({ from, to }: Import): boolean =>
    ownPackages.some(([folder]) => folder.test(to) && !folder.test(from)) && from !== "msgpack.ts";
  expect(offenders(isReached)).toEqual([]);
});

test("nothing imports testing", () => {
  const isWrong = ({ from, to }: Import): boolean =>
    to.startsWith("testing/") && !from.startsWith("testing/");
  expect(offenders(isWrong)).toEqual([]);
});

test("no import comes back to where it began", () => {
  const circles = new Set<string>();
  const walk = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) circles.add([...trail.slice(trail.indexOf(path)), path].join(" → "));
    else if (!done.has(path)) {
      for (const { from, to } of imports) if (from === path && files.has(to)) walk(to, [...trail, path]);
      done.add(path);
    }
  };
  const done = new Set<string>();
  for (const path of files.keys()) walk(path, []);
  expect([...circles]).toEqual([]);
});

/** The package whose interface it has exports its class like this. */
const copiedInterface = "redlock/index.ts";

test("files are named in kebab-case, stay within 300 lines and export by name", () => {
  const odd = [...files, ...tests].filter(
    ([path, text]) =>
      !/^[a-z0-9]+(-[a-z0-9]+)*(\.test(-d)?)?\.ts$/.test(basename(path)) ||
      (text.split("\n").length > 301 && !generated.includes(path)) ||
      (path !== copiedInterface && /^export default|^export \{[^}]*\bas default\b/m.test(text)),
  );
  expect(odd.map(([path]) => path)).toEqual([]);
});

test.each([
  ["src", files],
  ["test", tests],
])("no folder of %s has more than 15 files of its own", (_, all) => {
  const counts = new Map<string, number>();
  for (const path of all.keys()) counts.set(posix.dirname(path), (counts.get(posix.dirname(path)) ?? 0) + 1);
  expect([...counts].filter(([, count]) => count > 15)).toEqual([]);
});
