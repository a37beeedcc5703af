import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { median, show, showSpread } from "../numbers.ts";
import type { Bench, Case, Outcome } from "./case.ts";

interface Started {
  readonly importMs?: number;
  readonly openMs?: number;
  readonly readyMs?: number;
  readonly residentBytes: number;
}

/** Import, open, and a store that does nothing. */
export const start: Case = {
  name: "start",
  title: "Start: import, open, an idle store",
  about:
    "A new process each time. Ready: from the first import until it is connected, permissions are checked and " +
    "scripts are loaded. Resident: the memory of the whole process 0.3 s later, including Node itself, whose " +
    "own share is the first line.",
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
    ],
    marks: [],
  };
}

async function probe(what: string, url: string): Promise<Started> {
  const script = fileURLToPath(new URL("../probe.js", import.meta.url));
  const args = ["--disable-warning=ExperimentalWarning", script, what, url];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout) as Started;
}
