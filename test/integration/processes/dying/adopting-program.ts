// One step of work whose lock lives across processes. The second argument: acquire the lock with or without renewal and tell
// its token, or adopt TOKEN. THEN: "close" the store, "exit" as it is, or "release".

import { open } from "../../../../src/index.ts";

const [url = "", step = ""] = process.argv.slice(2);
const { TOKEN = "", THEN = "" } = process.env;
const tell = (line: object): boolean => process.stdout.write(`${JSON.stringify(line)}\n`);

const store = open(url);
const lock = store.lock("order:7");
const grant =
  step === "adopt"
    ? await lock.adopt(TOKEN, { renew: false, leaseMs: 60_000 })
    : await lock.acquire({ renew: step === "acquire, renewed", leaseMs: 60_000 });
tell({ fence: grant.fence, token: grant.token() });
if (THEN === "exit") process.exit(0); // nothing is closed
if (THEN === "release") tell({ released: await grant.release() });
await store.close();
