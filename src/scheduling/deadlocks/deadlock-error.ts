/** The error of the ask that closes a cycle [L15]: it says who waits for whom. */
import type { BlockedHolder, Deadlock } from "../../backends/contract.ts";
import { type BlockingHolder, LockTimeoutError, quoted, shownId } from "../../errors.ts";
import { parseTicket } from "../../leases/ticket.ts";

/** `cycle`: it begins with what the caller holds. `clientId`: of this store. */
export function deadlockError([own, ...others]: Deadlock, clientId: string): LockTimeoutError {
  const wants =
    own === undefined ? "" : `waits for the lock ${quoted(own.ask.id)} under the lock ${quoted(own.id)}`;
  const [next] = others;
  const text = others.map((holder) => describe(holder, clientId)).join("");
  return new LockTimeoutError(
    `Deadlock: this call ${wants}.${text} Neither would go on, so this call was ended. Acquire such locks together, ` +
      `with lockAll(), or everywhere in the same order.`,
    {
      code: "DEADLOCK",
      id: own === undefined ? undefined : shownId(own.ask.id),
      holder: next && holderOf(next, clientId),
      holding: own === undefined ? [] : [shownId(own.id)],
    },
  );
}

function holderOf({ ticket }: BlockedHolder, own: string): BlockingHolder {
  const { host, pid, clientId } = parseTicket(ticket);
  return { host, pid, here: clientId === own };
}

/** "First": its function may wait for another one in its process that waits for that lock. */
function describe({ id, ticket, ask }: BlockedHolder, clientId: string): string {
  const client = parseTicket(ticket);
  const who = client.clientId === clientId ? "this process" : `process ${client.pid} on ${client.host}`;
  return ` The lock ${quoted(id)} is held by ${who}, which needs the lock ${quoted(ask.id)} first.`;
}
