/** Clients that hear their wakes, and waiting for one. */
import { strict as assert } from "node:assert";
import type { Wake } from "../../backends/contract.ts";
import { eventually, pause } from "../assertions.ts";
import type { ListeningClient } from "../contract-client.ts";
import type { Fixture } from "../fixture.ts";

/**
 * Clients that are known to receive wakes. Their connection may be made only when a client first waits, and what
 * happens before that is found by asking.
 */
export async function listening(
  fixture: Fixture,
): Promise<[ListeningClient, ListeningClient, ListeningClient, string]> {
  const clients = await fixture.clients(3);
  const other = await fixture.client();
  for (const client of clients) {
    await eventually(async () => {
      const holder = other.ticketFor(fixture.id());
      const waits = client.ticketFor(holder.id);
      await holder.granted();
      await waits.queued();
      await holder.released();
      await pause(50);
      const heard = client.wakes.some((wake) => wake.kind === "granted" && wake.ticket === waits.ticket);
      await waits.cancel();
      assert.ok(heard, "no wake was heard");
      assert.ok(client.backend.pushes, "wakes of other ids are not heard yet");
    });
    client.wakes.length = 0;
  }
  const [a, b, c] = clients;
  return [a, b, c, fixture.id()];
}

/** Waits for the wake of this kind for this ticket. */
export function woken<K extends Wake["kind"]>(
  client: ListeningClient,
  kind: K,
  ticket: string,
): Promise<Extract<Wake, { kind: K }>> {
  return eventually(() => {
    const wake = client.wakes.find((one) => one.kind === kind && "ticket" in one && one.ticket === ticket);
    assert.ok(wake, `no wake "${kind}" yet`);
    return wake as Extract<Wake, { kind: K }>;
  });
}
