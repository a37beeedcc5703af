/** The three clients that most cases of the contract need. */
import type { ListeningClient } from "../contract-client.ts";
import type { Fixture } from "../fixture.ts";

/** Three clients and an id. */
export async function threeClients(
  fixture: Fixture,
): Promise<[ListeningClient, ListeningClient, ListeningClient, string]> {
  const [a, b, c] = await fixture.clients(3);
  return [a, b, c, fixture.id()];
}
