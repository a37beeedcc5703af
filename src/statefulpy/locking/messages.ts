/** What is said about the holder of a lock, and to a caller that did not get it. */
import { InvalidArgumentError, LockTimeoutError, quoted } from "../../errors.ts";
import { parseTicket } from "../../leases/ticket.ts";
import type { Line } from "./line.ts";
import type { Wait } from "./waiter.ts";

const howToNest =
  "A call outside of a scope never re-enters: to nest calls, open a scope with backend.owner(fn), or pass { owner }";

/** `clientId`: this backend's. */
export function timeoutError(
  wait: Wait,
  line: Pick<Line, "hold" | "holder">,
  clientId: string,
): LockTimeoutError {
  const { id, waitMs, owner } = wait;
  const waited = waitMs === 0 ? "was not free" : `was not free within ${waitMs / 1_000} s`;
  const advice = owner.isAnonymous ? ` ${howToNest}.` : "";
  return new LockTimeoutError(
    `The lock ${quoted(id)} ${waited}: ${holderOf(wait, line, clientId)}.${advice}`,
  );
}

function holderOf(wait: Wait, { hold, holder }: Pick<Line, "hold" | "holder">, clientId: string): string {
  if (hold !== undefined && !hold.owner.isAnonymous)
    return wait.isInside(hold.owner)
      ? "an owner() around this call holds it, and a nested owner() is another owner"
      : "another owner in this process holds it";
  if (hold !== undefined) return "a call of this process outside of a scope holds it";
  return holder === undefined ? "who holds it is not known" : `it is held by ${nameOf(holder, clientId)}`;
}

/** A token for people: ours says where its process is, and Python's is the time at which it was made. */
export function nameOf(token: string, clientId: string): string {
  const parts = parseTicket(token);
  if (parts.clientId === clientId) return "this backend";
  if (/^[\w.-]+:\d+:[0-9a-f]{24}:\d+$/.test(token)) return `process ${parts.pid} on ${parts.host}`;
  const shown = JSON.stringify(token.slice(0, 60));
  return /^\d+(\.\d+)?$/.test(token)
    ? `a Python process (token ${shown})`
    : `another client (token ${shown})`;
}

export function notHeld(id: string, holder: string | undefined): InvalidArgumentError {
  const who = holder === undefined ? "the lock is free" : `it is held by ${holder}`;
  return new InvalidArgumentError(
    `The lock ${quoted(id)} cannot be released by an owner that does not hold it: ${who}. Release it where it was ` +
      `acquired: inside the same backend.owner(fn), or with the same { owner }.`,
  );
}
