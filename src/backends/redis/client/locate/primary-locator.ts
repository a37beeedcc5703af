/**
 * Where the primary is that Sentinels watch. All are asked at once, and the first that names the primary is believed. An
 * outdated one names a server that is gone or refuses writes; either way, the next attempt follows. Source: "Guidelines
 * for Redis clients with support for Redis Sentinel".
 */
import { UnavailableError } from "../../../../errors.ts";
import type { NetworkEndpoint, SentinelGroup } from "../target-url.ts";
import { adviceFor, textOfCause } from "../connect-failures.ts";
import { isErrorReply } from "../node-redis-types.ts";
import { RespConnection } from "../resp-connection.ts";
import { firstAnswer, type Refusal } from "./ask-servers.ts";

export function askSentinels(
  name: string,
  { primary, sentinels, username, password }: SentinelGroup,
  attemptMs: number,
): Promise<NetworkEndpoint> {
  return firstAnswer({
    servers: sentinels,
    connectTo: (server) => new RespConnection({ server, username, password }),
    attemptMs,
    command: ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", primary],
    read: (reply, { tls }) => {
      if (!Array.isArray(reply)) throw new UnknownPrimary();
      const [host, port] = reply.map(String);
      return { host: host ?? "", port: Number(port), tls };
    },
    refusalOf: (sentinel, error) => refusalOf(name, sentinel, error),
  });
}

class UnknownPrimary extends Error {}

function refusalOf(name: string, { host, port }: NetworkEndpoint, error: Error): Refusal {
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
