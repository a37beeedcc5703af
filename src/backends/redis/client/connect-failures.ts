/**
 * Why a connection could not be made: from messages of Node, TLS or the client package to advice, in one table.
 *
 * `lasting`: it will not go away by itself, so it is not retried.
 */
import { isError } from "../../../errors.ts";

interface Cause {
  /** Matched with the code of the error, otherwise with its text. */
  readonly is: RegExp;
  readonly advice: string;
  readonly lasting?: boolean;
}

const ownAuthority =
  "If its certificate was issued by your own CA, start this process with NODE_EXTRA_CA_CERTS=<file>, or pass your " +
  "own client with the certificate of that CA";

const noServer = "What is listening there is not a Redis server. Check the host and port in the URL";

/** The first match counts. */
const causes: readonly Cause[] = [
  {
    is: /SELF_SIGNED_CERT|UNABLE_TO_(VERIFY|GET_ISSUER)|CERT_UNTRUSTED|self[- ]signed certificate/,
    advice: `This process does not trust the certificate that the server presented. ${ownAuthority}`,
    lasting: true,
  },
  {
    is: /CERT_HAS_EXPIRED|CERT_NOT_YET_VALID|certificate has expired/,
    advice: "The server's certificate is not valid at this time. Renew it, and check this machine's clock",
    lasting: true,
  },
  {
    is: /ALTNAME_INVALID|does not match certificate/,
    advice:
      "The server's certificate is for a different host name. Use a name from the certificate in the URL",
    lasting: true,
  },
  {
    is: /^(CERT_|ERR_TLS_CERT|CRL_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH|HOSTNAME_MISMATCH)/,
    advice: "The server's certificate was refused. Fix it, or pass your own client that accepts it",
    lasting: true,
  },
  {
    is: /ALERT_(CERTIFICATE_REQUIRED|BAD_CERTIFICATE|UNKNOWN_CA|HANDSHAKE_FAILURE)|alert (certificate required|handshake failure)/i,
    advice:
      "The server requires a client certificate. Pass your own client with `socket: { tls: true, key, cert }`",
    lasting: true,
  },
  {
    is: /^ERR_SSL|^EPROTO|SSL routines|before secure TLS connection/,
    advice: "The port does not seem to speak TLS. Use redis:// instead of rediss://, or correct the port",
  },
  {
    is: /Unknown RESP type/,
    advice: noServer,
    lasting: true,
  },
  {
    is: /^Protocol error, got /, // from ioredis, which connects again by itself
    advice: noServer,
  },
  {
    is: /^(ENOTFOUND|EAI_)|getaddrinfo/,
    advice: "The host name could not be resolved. Check the URL and this machine's DNS",
  },
  {
    is: /^connect ECONNREFUSED \//,
    advice:
      "Nothing is listening on that socket. Check that a Redis server runs, and check the path in the URL",
  },
  {
    is: /^ECONNREFUSED/,
    advice:
      "Nothing is listening there. Check that a Redis server runs there, and check the host and port in the URL",
  },
  {
    is: /^(ENOENT|EACCES|EPERM|ENOTSOCK)/,
    advice: "Check the path of the socket, and that this process may use it",
  },
  {
    is: /^(EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|EHOSTDOWN)/,
    advice: "There is no route to the host. Check the host in the URL, the routes and the firewalls",
  },
  {
    is: /no answer within/,
    advice:
      "Check that a Redis server runs there, that no firewall drops the connection, and that both sides agree on TLS (rediss://)",
  },
  {
    is: /^(ECONNRESET|EPIPE)|closed unexpectedly|was closed|socket hang up/,
    advice:
      "The server closed the connection. Check that a Redis server listens there, and whether that port expects TLS (rediss://)",
  },
];

const unknown: Cause = {
  is: /^/,
  advice: "Check that a Redis server runs there and that this process may connect to it",
};

export function adviceFor(error: Error): { readonly advice: string; readonly lasting: boolean } {
  const code = codeOf(error);
  const text = textOfCause(error);
  const { advice, lasting = false } = causes.find(({ is }) => is.test(code) || is.test(text)) ?? unknown;
  return { advice, lasting };
}

/** A name with several addresses fails with one error for each, and no text of its own. */
export function textOfCause(error: Error): string {
  const { errors } = error as { readonly errors?: unknown };
  if (!Array.isArray(errors) || errors.length === 0) return error.message;
  const each = errors.map((one: unknown) => (isError(one) ? one.message : String(one)));
  return [...new Set(each)].join("; ");
}

function codeOf(error: Error): string {
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : "";
}
