/**
 * Asks several servers at once where to connect, each over a connection that lasts for one command. The first answer
 * counts. One server after another would be too slow: one that does not reply would use up the time of the attempt.
 */
import type { HoldfastError } from "../../../../errors.ts";
import { after } from "../../../../timers.ts";
import { destroyForGood, toError, type Transport } from "../connection.ts";
import { sendWith, type CommandSender } from "../node-redis-types.ts";
import type { NetworkEndpoint } from "../target-url.ts";

/** Why one server named no other; the greatest rank is reported to the user. */
export interface Refusal {
  readonly rank: number;
  readonly error: HoldfastError;
}

export interface Question<T> {
  readonly servers: readonly NetworkEndpoint[];
  readonly connectTo: (server: NetworkEndpoint) => Transport & CommandSender;
  readonly attemptMs: number;
  readonly command: readonly string[];
  /** May throw, if the reply says nothing. */
  readonly read: (reply: unknown, server: NetworkEndpoint) => T;
  readonly refusalOf: (server: NetworkEndpoint, error: Error) => Refusal;
}

export async function firstAnswer<T>(question: Question<T>): Promise<T> {
  const { servers, connectTo, attemptMs, command, read, refusalOf } = question;
  const refusals: Refusal[] = [];
  const connections: Transport[] = [];
  const limit = limitOf(attemptMs);
  const answerOf = async (server: NetworkEndpoint): Promise<T> => {
    const connection = connectTo(server);
    connections.push(connection);
    return read(await Promise.race([brokenBy(connection), answerTo(command, connection)]), server);
  };
  const asked = servers.map(async (server) => {
    try {
      return await Promise.race([answerOf(server), limit.passed]);
    } catch (error) {
      refusals.push(refusalOf(server, toError(error)));
      throw error;
    }
  });
  try {
    return await Promise.any(asked);
  } catch {
    const [first] = refusals.sort((a, b) => b.rank - a.rank);
    throw first?.error ?? new Error(`HOLDFAST_NO_SERVER: ${command.join(" ")}`);
  } finally {
    limit.stop();
    for (const connection of connections) destroyForGood(connection); // also those that have not replied
  }
}

/** Rejects with why it broke; what else fails then, fails with less to say. */
function brokenBy(connection: Transport): Promise<never> {
  return new Promise((_, reject) => {
    connection.on("error", (error) => reject(toError(error)));
  });
}

async function answerTo(command: readonly string[], connection: Transport & CommandSender): Promise<unknown> {
  await connection.connect();
  return sendWith(connection, { args: command, bytes: false });
}

/** Connections of a package may not settle when they are ended, so that the time is limited here. */
function limitOf(ms: number): { readonly passed: Promise<never>; stop(): void } {
  let pass: (error: Error) => void;
  const passed = new Promise<never>((_, reject) => (pass = reject));
  passed.catch(() => undefined); // those who wait for it know
  const timer = after(ms, () => pass(new Error(`no answer within ${String(ms)} ms`)));
  return { passed, stop: () => timer.stop() };
}
