// A process that campaigns, and in office proclaims something every few milliseconds. It tells of each term and of each
// proclamation that was accepted, with the time before it was sent, by the machine's clock.

import { setTimeout as sleep } from "node:timers/promises";

import { open } from "../../../src/index.ts";

const [url = ""] = process.argv.slice(2);
const leader = open(url, {
  leaseMs: Number(process.env["LEADER_LEASE_MS"]),
  operationMs: 1_000,
}).leader<number>("office");

/** Synchronous on pipes, so that what was told is told even if SIGKILL comes next. */
const tell = (line: object): boolean => process.stdout.write(`${JSON.stringify(line)}\n`);
const wallClock = (): number => performance.timeOrigin + performance.now();

// It stops itself: a process that is stopped inside a transaction of SQLite holds the file's lock, and stops all others.
process.on("SIGUSR2", () => process.kill(process.pid, "SIGSTOP"));
tell({ campaigning: true });
await leader.run(
  async (term) => {
    const { fence } = term;
    term.signal.addEventListener("abort", () => tell({ over: fence }));
    tell({ led: fence, at: wallClock() }); // then it may be stopped
    for (let n = 1; ; n += 1) {
      const at = wallClock();
      await term.proclaim(n);
      tell({ proclaimed: fence, at });
      await sleep(10);
    }
  },
  { value: 0 },
);
