/**
 * Where the server is now: asked before each connection, so that a connection made after a failover leads to the new primary.
 *
 * Sentinels are all asked at once, and the first that names the primary is believed. An outdated one names a server
 * that is gone or refuses writes; either way, the next attempt follows. Source: "Guidelines for Redis clients with
 * support for Redis Sentinel".
 */
import { UnavailableError } from "../../../errors.ts";
import { after } from "../../../timers.ts";
import type { Address, Endpoint, SentinelGroup } from "./target-url.ts";
import { adviceFor, textOfCause } from "./connect-failures.ts";
import { RespConnection } from "./resp-connection.ts";
import { isErrorReply } from "./node-redis-types.ts";

export type Locator = () => Promise<Endpoint>;

export function locatorOf({ name, server }: Pick<Address, "name" | "server">, attemptMs: number): Locator {
  if (!("sentinels" in server)) return () => Promise.resolve(server);
  return () => askSentinels(name, server, attemptMs);
}

type Sentinel = SentinelGroup["sentinels"][number];

/** Why one Sentinel did not name the primary; the greatest rank is told to the user. */
interface Refusal {
  readonly rank: number;
  readonly error: UnavailableError;
}

async function askSentinels(name: string, group: SentinelGroup, attemptMs: number): Promise<Endpoint> {
  const refusals: Refusal[] = [];
  const { username, password } = group;
  const connections = group.sentinels.map((sentinel) => ({
    sentinel,
    connection: new RespConnection({ server: sentinel, username, password }),
  }));
  const endAll = (why?: Error): void => connections.forEach(({ connection }) => connection.destroy(why));
  const late = after(attemptMs, () => endAll(new Error(`no answer within ${String(attemptMs)} ms`)));
  const asked = connections.map(async ({ sentinel, connection }) => {
    try {
      return await ask(connection, group.primary, sentinel.tls);
    } catch (error) {
      refusals.push(refusalOf(name, sentinel, error instanceof Error ? error : new Error(String(error))));
      throw error;
    }
  });
  try {
    return await Promise.any(asked);
  } catch {
    const [first] = refusals.sort((a, b) => b.rank - a.rank);
    throw first?.error ?? new Error(`HOLDFAST_NO_SENTINEL: ${name}`);
  } finally {
    late.stop();
    endAll(); // also those that have not replied
  }
}

async function ask(connection: RespConnection, primary: string, tls: boolean): Promise<Endpoint> {
  await connection.connect();
  const reply = await connection.sendCommand(["SENTINEL", "GET-MASTER-ADDR-BY-NAME", primary]);
  if (!Array.isArray(reply)) throw new UnknownPrimary();
  const [host, port] = reply.map(String);
  return { host: host ?? "", port: Number(port), tls };
}

class UnknownPrimary extends Error {}

function refusalOf(name: string, { host, port }: Sentinel, error: Error): Refusal {
  const at = `${host}:${String(port)}`;
  if (error instanceof UnknownPrimary) {
    const text = `${name}: the Sentinel at ${at} knows no primary of this name. SENTINEL MASTERS lists those that it knows`;
    return { rank: 2, error: new UnavailableError(`${text}.`, { outcome: "none", lasting: true }) };
  }
  if (isErrorReply(error)) return { rank: 3, error: refused(name, at, error.message) };
  const text = `${name}: the Sentinel at ${at} cannot be reached (${textOfCause(error)}). ${adviceFor(error).advice}`;
  return { rank: 1, error: new UnavailableError(text, { outcome: "none", cause: error }) };
}

/** [P3] The text of the server is not shown: it may quote what it was sent. */
function refused(name: string, at: string, message: string): UnavailableError {
  const isAuth = /^(NOAUTH|WRONGPASS|NOPERM)\b|invalid password|AUTH .*without any password/i.test(message);
  const advice = isAuth
    ? "denies access. Put the credentials of the Sentinels into the URL, as in ?sentinelUser=name&sentinelPassword=secret (those before the @ are for the primary)"
    : "is not a Sentinel, since it does not answer SENTINEL GET-MASTER-ADDR-BY-NAME. Write redis://host:port for a server";
  const code = isAuth ? ({ code: "ACCESS_DENIED" } as const) : {};
  return new UnavailableError(`${name}: the server at ${at} ${advice}.`, {
    outcome: "none",
    lasting: true,
    ...code,
  });
}
