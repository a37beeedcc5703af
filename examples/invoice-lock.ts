/** A lock: sends an invoice. If you run it in two terminals at once, the second waits for the first. */
import { setTimeout as sleep } from "node:timers/promises";
import { open } from "holdfast";

const store = open();

await store.lock("invoice:7").run(async (grant) => {
  await sendInvoice({ fence: grant.fence, signal: grant.signal });
});
await store.close();

/**
 * The fence increases with every grant, so a mail server could refuse a sender that has since lost the lock. The signal
 * aborts when the lock is lost, so that this sender stops.
 */
async function sendInvoice({ fence, signal }: { fence: number; signal: AbortSignal }): Promise<void> {
  console.log(`sending, fence ${fence}`);
  await sleep(500, undefined, { signal });
  console.log(`sent, fence ${fence}`);
}
