/**
 * From what Redis or the connection says to errors of ours: which code, which outcome, what to do about it.
 *
 * Scripts check before they write, so that an error reply means that nothing was done; what is not known here is
 * "unknown" all the same. Texts come here already without passwords [P3].
 */
import {
  CorruptStateError,
  InvalidArgumentError,
  UnavailableError,
  type HoldfastError,
} from "../../errors.ts";

/** For `ACCESS_DENIED`, wherever it comes from. */
const accessAdvice =
  "Check the user name and password of the URL, and that the user may run the commands of docs/redis.md on the keys of this prefix.";

type Maker = (name: string, said: string) => HoldfastError;

const unavailable =
  (code: UnavailableError["code"], what: string): Maker =>
  (name, said) =>
    new UnavailableError(`${name} ${what} (${said})`, { code, outcome: "none" });

/** In this order: "NOAUTH HELLO must be …" and "ERR … max number of clients" have several words in them. */
const makers: readonly (readonly [RegExp, Maker])[] = [
  [
    /\b(NOAUTH|WRONGPASS|NOPERM)\b|has no permissions|ACL failure|user executing the script|invalid password|unknown command/i,
    denied,
  ],
  [/\bOOM\b/, unavailable("OUT_OF_MEMORY", "is out of memory. Raise its maxmemory or remove data")],
  [/\bREADONLY\b/, unavailable("READ_ONLY", "is a read-only replica. Connect to the primary")],
  [/\b(MISCONF|NOREPLICAS)\b/, unavailable("READ_ONLY", "takes no writes at present")],
  [/\b(LOADING|BUSY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN)\b/, unavailable("UNREACHABLE", "is not ready to serve")],
  [/\b(MOVED|ASK|CROSSSLOT)\b/, cluster],
  [/\bSTAGED\b/, unavailable("UNREACHABLE", "did not get all that was sent")],
  [/max number of clients/, unavailable("UNREACHABLE", "takes no more clients. Raise its maxclients")],
];

/** An error reply of the server; `id` is the lock or state that the command was about. */
export function replyFailure(name: string, said: string, id?: string): HoldfastError {
  if (/\bWRONGTYPE\b/.test(said)) return wrongType(name, said, id);
  const maker = makers.find(([pattern]) => pattern.test(said))?.[1];
  if (maker !== undefined) return maker(name, shorten(said));
  return new UnavailableError(`${name} refused: ${shorten(said)}`, { outcome: "unknown" });
}

/** The connection failed. `sent`: the command may have reached the server before. */
export function linkFailure(name: string, cause: Error, sent: boolean): UnavailableError {
  const message = sent
    ? `${name}: the connection broke before an answer came (${cause.message})`
    : `${name} cannot be reached (${cause.message}). Check that a Redis server runs there and that this process may connect to it`;
  return new UnavailableError(message, { outcome: sent ? "unknown" : "none", cause });
}

export function closedFailure(name: string): UnavailableError {
  return new UnavailableError(`${name}: this store was closed`, { outcome: "none" });
}

function denied(name: string, said: string): HoldfastError {
  return new UnavailableError(`${name} denies access (${said}). ${accessAdvice}`, { code: "ACCESS_DENIED" });
}

function cluster(name: string, said: string): HoldfastError {
  return new InvalidArgumentError(
    `${name} is part of a Redis Cluster (${said}), which Holdfast does not support yet. Use a single primary with replicas.`,
  );
}

function wrongType(name: string, said: string, id: string | undefined): HoldfastError {
  const what = id === undefined ? "one of its keys" : `a key of ${JSON.stringify(id)}`;
  return new CorruptStateError(
    `On ${name}, ${what} is not what Holdfast keeps there (${shorten(said)}). It was left as it is: ` +
      `find out who else writes it, or use another prefix.`,
  );
}

function shorten(said: string): string {
  const line = said.replace(/,? ?script: .*|, on @user_script.*/s, "").trim();
  return line.length > 200 ? `${line.slice(0, 200)}…` : line;
}
