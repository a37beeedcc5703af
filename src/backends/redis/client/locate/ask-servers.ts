/**
 * Asks several servers at once where to connect, each over a connection that lasts for one command. The first answer
 * counts. One server after another would be too slow: one that does not reply would use up the time of the attempt.
 */
import type { HoldfastError } from "../../../../errors.ts";
import { destroy } from "../connection.ts";
import type { NetworkEndpoint } from "../target-url.ts";

/** Why one server named no other; the greatest rank is reported to the user. */
export interface Refusal {
  readonly rank: number;
  readonly error: HoldfastError;
}

export interface Question<T> {
  readonly servers: readonly NetworkEndpoint[];
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly attemptMs: number;
  readonly command: readonly string[];
  /** May throw, if the reply says nothing. */
  readonly read: (reply: unknown, server: NetworkEndpoint) => T;
  readonly refusalOf: (server: NetworkEndpoint, error: Error) => Refusal;
}

export async function firstAnswer<T>(question: Question<T>): Promise<T> {
  const { servers, command, read, refusalOf } = question;
  const refusals: Refusal[] = [];
  const makeClient = await clientMaker(question);
  const clients = servers.map((server) => ({ server, client: makeClient(server) }));
  const asked = clients.map(async ({ server, client }) => {
    try {
      await client.connect();
      return read(await client.sendCommand(command), server);
    } catch (error) {
      refusals.push(refusalOf(server, error instanceof Error ? error : new Error(String(error))));
      throw error;
    }
  });
  try {
    return await Promise.any(asked);
  } catch {
    const [first] = refusals.sort((a, b) => b.rank - a.rank);
    throw first?.error ?? new Error(`HOLDFAST_NO_SERVER: ${command.join(" ")}`);
  } finally {
    for (const { client } of clients) destroy(client); // also those that have not replied
  }
}

async function clientMaker({
  username,
  password,
  attemptMs,
}: Pick<Question<unknown>, "username" | "password" | "attemptMs">) {
  const { createClient } = await import("@redis/client");
  return ({ host, port, tls }: NetworkEndpoint) => {
    const limits = { connectTimeout: attemptMs, socketTimeout: attemptMs };
    const client = createClient({
      RESP: 2,
      socket: { host, port, tls, ...limits, reconnectStrategy: false },
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      disableClientInfo: true,
      disableOfflineQueue: true,
    } as Parameters<typeof createClient>[0]);
    client.unref(); // [P1]
    client.on("error", () => undefined); // the command is rejected, too
    return client;
  };
}
