// A process that dies while it holds a lock by hand, in a body, and in the draft function of an update that would save, in
// the way that its second argument names; nothing is closed, nothing handled.

import { open } from "../../../src/index.ts";

const [url = "", death = ""] = process.argv.slice(2);
const leaseMs = Number(process.env["DYING_LEASE_MS"]);
const store = open(url, { leaseMs, operationMs: 20_000, passOverDead: false }); // its leases decide

const deaths: Readonly<Record<string, () => void>> = {
  "process.exit": () => process.exit(7),
  SIGKILL: () => process.kill(process.pid, "SIGKILL"),
  SIGTERM: () => process.kill(process.pid, "SIGTERM"),
  "an uncaught error": () => {
    setImmediate(() => {
      throw new Error("on purpose");
    });
  },
};

const tell = (line: object): boolean => process.stdout.write(`${JSON.stringify(line)}\n`);
const forever = new Promise<never>(() => {});

await store.lock(`${death}: by hand`).acquire();
let inside = 0;
const enter = (): Promise<never> => {
  inside += 1;
  if (inside === 2) tell({ holding: true });
  return forever;
};
void store.lock(`${death}: body`).run(enter);
void store.state(`${death}: draft`).update(enter);
process.once("SIGUSR2", () => {
  void store.state(`${death}: saved`).save("half"); // under way, there whole or not at all
  deaths[death]?.();
});
