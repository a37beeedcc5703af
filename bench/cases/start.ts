import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { median, show, showSpread } from "../numbers.ts";
import type { Table } from "../model.ts";
import type { Bench, Case, Outcome } from "./case.ts";

interface Started {
  readonly importMs?: number;
  readonly openMs?: number;
  readonly readyMs?: number;
  readonly residentBytes: number;
}

/** Import, open, and a store that does nothing; and commands of the command line. */
export const start: Case = {
  name: "start",
  title: "Start: import, open, an idle store",
  about:
    "A new process each time. Ready: from the first import until it is connected, permissions are checked and " +
    "scripts are loaded. Resident: the memory of the whole process 0.3 s later, including Node itself, whose " +
    "own share is the first line. Commands: the time from starting a process to its end.",
  run,
};

async function run({ server, rounds }: Bench): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-bench-"));
  const all = [
    { name: "Node alone", what: "nothing", url: "" },
    { name: "Holdfast, memory", what: "holdfast", url: "memory:" },
    { name: "Holdfast, SQLite", what: "holdfast", url: `sqlite:${join(folder, "start.db")}` },
    { name: "Holdfast, Redis", what: "holdfast", url: server.url },
    { name: "@redis/client alone", what: "@redis/client", url: server.url },
    { name: "ioredis alone", what: "ioredis", url: server.url },
  ].map((one) => ({ ...one, started: [] as Started[] }));
  for (let round = -1; round < rounds; round++) {
    for (const one of all) {
      const started = await probe(one.what, one.url);
      if (round >= 0) one.started.push(started); // the first one fills the disk's cache
    }
  }
  const commands = await timeCommands(`sqlite:${join(folder, "start.db")}`, server.url, rounds);
  rmSync(folder, { recursive: true, force: true });
  const bare = median((all[0]?.started ?? []).map(({ residentBytes }) => residentBytes));
  const times = (started: readonly Started[], which: "importMs" | "openMs" | "readyMs"): string =>
    showSpread(started.map((one) => one[which] ?? NaN));
  return {
    measured: [],
    tables: [
      {
        title: "start",
        head: ["", "import ms (spread)", "open() ms", "ready ms", "resident MiB", "more than Node alone"],
        rows: all.map(({ name, started }) => {
          const resident = median(started.map(({ residentBytes }) => residentBytes));
          return [
            name,
            times(started, "importMs"),
            times(started, "openMs"),
            times(started, "readyMs"),
            show(resident / 2 ** 20),
            show((resident - bare) / 2 ** 20),
          ];
        }),
      },
      commands,
    ],
    marks: [],
  };
}

/** Whole processes, one after the other. */
async function timeCommands(file: string, server: string, rounds: number): Promise<Table> {
  const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
  const all = [
    { name: "node -e 0", args: ["-e", "0"] },
    { name: "holdfast --version", args: [main, "--version"] },
    { name: "holdfast ls, SQLite", args: [main, "ls", "--url", file] },
    { name: "holdfast ls, Redis", args: [main, "ls", "--url", server] },
    { name: "holdfast run, SQLite", args: [main, "run", "job", "--url", file, "--", "true"] },
  ].map((one) => ({ ...one, times: [] as number[] }));
  for (let round = -1; round < rounds; round++) {
    for (const { args, times } of all) {
      const begun = performance.now();
      await promisify(execFile)(process.execPath, ["--disable-warning=ExperimentalWarning", ...args]);
      if (round >= 0) times.push(performance.now() - begun);
    }
  }
  const bare = median(all[0]?.times ?? []);
  return {
    title: "commands",
    head: ["", "ms (spread)", "to node -e 0"],
    rows: all.map(({ name, times }) => [name, showSpread(times), `${show(median(times) / bare)}×`]),
  };
}

async function probe(what: string, url: string): Promise<Started> {
  const script = fileURLToPath(new URL("../probe.js", import.meta.url));
  const args = ["--disable-warning=ExperimentalWarning", script, what, url];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout) as Started;
}
