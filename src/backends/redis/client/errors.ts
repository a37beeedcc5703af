/**
 * From error replies and broken connections to our errors: which code, which outcome, what to do about it.
 *
 * While connecting nothing was sent: the outcome is "none". After that an error reply means "none" only where the server
 * gives it before the first write: scripts check types before they write, and if Redis lacks memory, replicas or
 * a disk, it refuses a command of a script only if the script has written nothing yet. Anything else is "unknown", and is retried: the receipt
 * decides [S5]. Texts are free of passwords when they arrive here [P3].
 */
import {
  CorruptStateError,
  InvalidArgumentError,
  quoted,
  shownId,
  UnavailableError,
  type HoldfastError,
  type UnavailableCode,
} from "../../../errors.ts";
import { adviceFor, textOfCause } from "./connect-failures.ts";
import { indexChanged } from "./index-mismatch.ts";

/** When the reply came: during connection and startup checks, or in reply to a call. */
export type Phase = "connecting" | "sent";

interface Refusal {
  readonly is: RegExp;
  readonly code?: UnavailableCode;
  /** After the server's name. */
  readonly what: string;
  readonly advice: string;
  /** It cannot pass by itself. */
  readonly lasting?: boolean;
  /** Only the startup checks take it for this: later, a script may have begun. */
  readonly atStart?: boolean;
}

/** The first match counts: "NOAUTH HELLO must be …" and "ERR … max number of clients" match several. */
const refusals: readonly Refusal[] = [
  {
    is: /undeclared key|not declared/i,
    code: "ACCESS_DENIED",
    what: "refuses keys that a script does not declare",
    advice:
      "Open the store with { declareKeys: true }, or permit them: Dragonfly does with --default_lua_flags=allow-undeclared-keys, " +
      "Kvrocks with lua-strict-key-accessing no",
    atStart: true,
  },
  {
    is: /scripting support disabled|unknown (redis )?command\W+(evalsha|script)\b/i,
    code: "ACCESS_DENIED",
    what: "does not run Lua scripts",
    advice:
      "Enable EVALSHA and SCRIPT LOAD there, and in every proxy before it; Garnet must be started with --lua",
    atStart: true,
  },
  {
    is: /syntax error|wrong number of arg|attempt to (call|index)|(nonexistent|unexisting) global/i,
    code: "ACCESS_DENIED",
    what: "lacks something that the scripts use",
    advice: "Use Redis 6.2 or later, or Valkey",
    atStart: true,
  },
  {
    is: /^NOAUTH\b/,
    code: "ACCESS_DENIED",
    what: "denies access",
    advice:
      "It requires a password: put it in the URL, as in redis://:password@host or redis://user:password@host, or " +
      "into the options of your client",
  },
  {
    is: /^WRONGPASS\b|invalid password|AUTH .*without any password/i,
    code: "ACCESS_DENIED",
    what: "denies access",
    advice:
      "Check the user name and password; in a URL, characters that have a meaning there must be percent-encoded",
  },
  {
    is: /^NOPERM\b|has no permissions|ACL failure|executing the script/i,
    code: "ACCESS_DENIED",
    what: "denies access",
    advice:
      "Check that the user may run the commands that Holdfast needs on the keys of this prefix: npx holdfast doctor " +
      "names those that are missing",
  },
  {
    is: /unknown (redis )?command/i,
    code: "ACCESS_DENIED",
    what: "lacks a command",
    advice:
      "Use Redis 6.2 or later, or Valkey, with no command renamed or disabled: npx holdfast doctor names what is missing",
  },
  {
    is: /^OOM\b/,
    code: "OUT_OF_MEMORY",
    what: "is out of memory",
    advice: "Raise its maxmemory or remove data",
  },
  {
    is: /^READONLY\b/,
    code: "READ_ONLY",
    what: "is a read-only replica",
    advice: "Connect to the primary",
  },
  {
    is: /^MISCONF\b/,
    code: "READ_ONLY",
    what: "is not accepting writes",
    advice: "It cannot write to its disk: check its log",
  },
  {
    is: /^NOREPLICAS\b/,
    code: "READ_ONLY",
    what: "is not accepting writes",
    advice: "It has fewer replicas than its min-replicas-to-write",
  },
  {
    is: /^(LOADING|BUSY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN)\b/,
    what: "is not ready to serve",
    advice: "If this persists, check its log",
  },
  {
    is: /^(MOVED|ASK)\b/,
    what: "does not have the slot of this prefix",
    advice: "If this persists, check CLUSTER SLOTS and CLUSTER NODES of its nodes",
  },
  {
    is: /^STAGED\b/,
    what: "did not receive everything that was sent",
    advice: "If this persists, check its log",
  },
  {
    is: /max number of clients/,
    what: "accepts no more clients",
    advice: "Raise its maxclients",
  },
  {
    is: /DB index is out of range|invalid DB index/i,
    what: "has no such database",
    advice: "Put another one in the URL, or raise the server's `databases` setting",
    lasting: true,
  },
  {
    is: /Protocol error: invalid (multi)?bulk length|exceeds maximum allowed size/i,
    what: "does not accept values this large",
    advice: "Raise its proto-max-bulk-len, or store less in one state",
    lasting: true,
  },
];

/** From a cluster, to a store that was not opened on a cluster. */
const isOfCluster =
  /^(MOVED|ASK|CROSSSLOT)\b|SELECT is not allowed in cluster|do not hash to the same slot|non local key/;
/** The address leads to a server that is not, or is no longer, the one that decides. */
const isOfWrongServer = /^(READONLY|MASTERDOWN|MOVED|CLUSTERDOWN)\b/;
/** The reply of a command inside a script, which may have written before. */
const isFromInside =
  /@user_script|executing the script|ACL failure in script|called from script|script: [0-9a-f]{40}/i;

export interface ReplyContext {
  readonly phase: Phase;
  /** The lock or state that the command was about. */
  readonly id?: string | undefined;
  /** Whether the client follows its slot on a cluster. */
  readonly followsSlot?: boolean | undefined;
}

/** An error reply of the server. */
export function replyFailure(
  name: string,
  message: string,
  { phase, id, followsSlot = false }: ReplyContext,
): HoldfastError {
  const text = textOf(message);
  const shown = shorten(text);
  if (/^HFINDEX\b/.test(text)) return indexChanged(name);
  if (/^WRONGTYPE\b/.test(text)) return wrongTypeFailure(name, shown, id);
  if (!followsSlot && isOfCluster.test(text)) return clusterFailure(name, shown, phase);
  const refusal = refusals.find(({ is, atStart }) => is.test(text) && (!atStart || phase === "connecting"));
  const isOpen = phase === "sent" && (refusal === undefined || isMidway(refusal, message));
  const outcome = isOpen ? "unknown" : "none";
  if (refusal === undefined) {
    return new UnavailableError(`${name} refused: ${shown}`, { outcome, lasting: phase === "connecting" });
  }
  const { what, advice, code } = refusal;
  const lasting = isOpen ? false : refusal.lasting;
  return new UnavailableError(`${name} ${what} (${shown}). ${advice}`, {
    outcome,
    ...(code === undefined ? {} : { code }),
    ...(lasting === undefined ? {} : { lasting }),
  });
}

export function isWrongServer(message: string): boolean {
  return isOfWrongServer.test(textOf(message));
}

/** A right was missing in the middle of a script: the writes of its earlier commands remain. */
function isMidway({ code }: Refusal, message: string): boolean {
  return code === "ACCESS_DENIED" && isFromInside.test(message);
}

/** No connection could be made, or there is none: nothing was sent. An error that explains this already is kept. */
export function notConnected(name: string, cause: Error): UnavailableError {
  if (cause instanceof UnavailableError) return cause;
  const { advice, lasting } = adviceFor(cause);
  return new UnavailableError(`${name} cannot be reached (${textOfCause(cause)}). ${advice}`, {
    outcome: "none",
    lasting,
    cause,
  });
}

export interface Break {
  readonly cause: Error;
  /** A likely cause, where one is known. */
  readonly hint?: string | undefined;
  readonly lasting?: boolean;
}

/** The connection broke after the command was sent, or may have been sent. */
export function connectionBroke(name: string, { cause, hint, lasting = false }: Break): UnavailableError {
  const text = `${name}: the connection broke before an answer came (${textOfCause(cause)})`;
  return new UnavailableError(hint === undefined ? text : `${text}. ${hint}`, {
    outcome: "unknown",
    lasting,
    cause,
  });
}

export function closedFailure(name: string): UnavailableError {
  return new UnavailableError(`${name}: this store was closed`, { outcome: "none" });
}

export function sentinelFailure(name: string): InvalidArgumentError {
  return new InvalidArgumentError(
    `${name} is a Sentinel, which stores no data. To use the primary that it watches, write ` +
      `redis+sentinel://host:port,host:port/name with the Sentinels and the name of the primary.`,
  );
}

/** For the warning that this store cannot send itself messages. */
export function wakesRefused(name: string, why: string, channel: string): UnavailableError {
  return new UnavailableError(
    `${name} does not let scripts send wakes (${shorten(textOf(why))}). Permit SUBSCRIBE, PUBLISH and PUBSUB NUMSUB on ` +
      `${channel}. Waiting for locks still works, by polling every 250 ms.`,
    { code: "ACCESS_DENIED" },
  );
}

/**
 * Without redirections, it would work only until the slot moves; without a hash tag, it never does. A key that is not there
 * any more is found in the middle of a script, which may have written before.
 */
function clusterFailure(name: string, shown: string, phase: Phase): HoldfastError {
  const isOpen = phase === "sent" && shown.includes("non local key");
  return new InvalidArgumentError(
    `${name} is part of a Redis Cluster (${shown}). Write redis+cluster://host:port,host:port with some of its nodes, ` +
      `or pass a client of the cluster, and a prefix with a hash tag, such as "{shop}:"; the default there is "{holdfast}:".`,
    { outcome: isOpen ? "unknown" : "none" },
  );
}

function wrongTypeFailure(name: string, shown: string, id: string | undefined): HoldfastError {
  const what = id === undefined ? "one of its keys" : `a key of the id ${quoted(id)}`;
  return new CorruptStateError(
    `On ${name}, ${what} is not what Holdfast keeps there (${shown}). It was left as it is: ` +
      `find out what else writes it, or use another prefix.`,
    { id: id === undefined ? undefined : shownId(id) },
  );
}

/**
 * The text from its code on. Where a script passes on an error, Redis 6.2 puts its position before it, once or twice:
 * `ERR Error running script (call to f_<sha1>): @user_script:71: @user_script: 71: -OOM command not allowed …`.
 */
function textOf(message: string): string {
  return message
    .replace(/^-?(?:ERR )?Error running script \(call to \w+\): /, "")
    .replace(/^(?:-?(?:ERR )?@\w+: ?\d+: ?)+/, "")
    .replace(/,? with args beginning with:.*/s, "") // [P3] which quotes even a password
    .replace(/^-/, "")
    .replace(/^ERR ((?:NOPERM|NOAUTH|READONLY|OOM)\b)/, "$1");
}

function shorten(text: string): string {
  const line = text
    .replace(/,? ?script: [0-9a-f]{40}.*|, on @user_script.*/s, "")
    .trim()
    .replace(/\.$/, "");
  return line.length > 200 ? `${line.slice(0, 200)}…` : line;
}
