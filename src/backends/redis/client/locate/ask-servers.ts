/**
 * Asks several servers at once where to connect, each over a connection that lasts for one command. The first answer
 * counts. One server after another would be too slow: one that does not reply would use up the time of the attempt.
 */
import type { HoldfastError } from "../../../../errors.ts";
import { after } from "../../../../timers.ts";
import { RespConnection } from "../resp-connection.ts";
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
  const { servers, username, password, attemptMs, command, read, refusalOf } = question;
  const refusals: Refusal[] = [];
  const connections = servers.map((server) => ({
    server,
    connection: new RespConnection({ server, username, password }),
  }));
  const endAll = (why?: Error): void => connections.forEach(({ connection }) => connection.destroy(why));
  const late = after(attemptMs, () => endAll(new Error(`no answer within ${String(attemptMs)} ms`)));
  const asked = connections.map(async ({ server, connection }) => {
    try {
      await connection.connect();
      return read(await connection.sendCommand(command), server);
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
    late.stop();
    endAll(); // also those that have not replied
  }
}
