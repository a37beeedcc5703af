// Goes through all states that can be reached in so many steps, each once, and checks each of them.

import { save } from "../../src/testing/contract-client.ts";
import type { RowRequest } from "../../src/backends/rows/request-types.ts";
import type { Program } from "./programs.ts";
import { live, Violation } from "./rules.ts";
import { beginning, keyOf, ticketOf, type State } from "./state.ts";
import { Steps, type Decide } from "./steps.ts";
import { id, liveHolders } from "./world.ts";

export interface Found {
  readonly states: number;
  /** The first violation, and the steps that lead to it. */
  readonly violation?: { readonly rule: string; readonly text: string; readonly steps: readonly string[] };
}

/** A state that was reached, and how. */
interface Reached {
  readonly state: State;
  readonly what: string;
  readonly from: Reached | undefined;
}

export function explore(decide: Decide, program: Program, depth: number): Found {
  const steps = new Steps(decide);
  const seen = new Set<string>();
  let level: Reached[] = [{ state: beginning(program), what: "", from: undefined }];
  for (let n = 0; n <= depth && level.length > 0; n += 1) {
    const next: Reached[] = [];
    for (const reached of level) {
      try {
        checkState(steps, reached.state);
        if (n === depth) continue;
        for (const { what, state } of steps.from(reached.state)) {
          const key = keyOf(state);
          if (seen.has(key)) continue;
          seen.add(key);
          next.push({ state, what, from: reached });
        }
      } catch (error) {
        const { rule, message } =
          error instanceof Violation ? error : { rule: "thrown", message: String(error) };
        return { states: seen.size, violation: { rule, text: message, steps: stepsTo(reached) } };
      }
    }
    level = next;
  }
  return { states: seen.size };
}

function stepsTo(reached: Reached): string[] {
  const steps: string[] = [];
  for (let one: Reached | undefined = reached; one?.from !== undefined; one = one.from)
    steps.unshift(one.what);
  return steps;
}

function checkState(steps: Steps, state: State): void {
  checkBeliefs(state);
  checkWrites(steps, state);
  checkSeen(steps, state);
}

/** [L5] Who believes that it holds, holds, unless it was released by force. */
function checkBeliefs({ clients, stored, now }: State): void {
  const tickets = liveHolders(stored, now).map(({ ticket }) => ticket);
  for (const [n, { phase, until, isForced }] of clients.entries()) {
    if (phase === "held" && until > now && !isForced && !tickets.includes(ticketOf(n)))
      throw new Violation("[L5] belief", `${ticketOf(n)} believes that it holds`);
  }
}

/** [S4] [S8] A write under a ticket needs the whole lock; one without, that no one holds it or waits. */
function checkWrites(steps: Steps, { clients, stored, now }: State): void {
  const client = clients.length + 2;
  const receipt = { sequence: client, n: 1, keepMs: 1_000 };
  const attempt = { retry: false, proof: undefined };
  const statusOf = (ticket: string | null): string => {
    const request: RowRequest = { kind: "write", id, write: save("1"), ticket, receipt, attempt };
    return (steps.ask(stored, request, now).reply as { status: string }).status;
  };
  const holders = liveHolders(stored, now);
  const isFree = holders.length === 0 && live(stored.waiters, now).length === 0;
  if (statusOf(null) !== (isFree ? "saved" : "busy")) throw new Violation("[S8] writes", "without a ticket");
  for (const n of clients.keys()) {
    const held = holders.find(({ ticket }) => ticket === ticketOf(n));
    const expected = held !== undefined && held.weight === undefined ? "saved" : "lost";
    if (statusOf(ticketOf(n)) !== expected) throw new Violation("[S4] writes", `under ${ticketOf(n)}`);
  }
}

/** What is seen from outside is what there is, and what is only read for a waiter is what an ask would answer. */
function checkSeen(steps: Steps, { clients, stored, now }: State): void {
  const entry = steps.ask(stored, { kind: "inspect", id }, now).reply as {
    shares?: { token: string }[];
  } | null;
  const holders = liveHolders(stored, now);
  if ((entry === null) !== (holders.length === 0))
    throw new Violation("[L12] seen", "a lock that is not held");
  if (entry?.shares !== undefined && entry.shares.length !== holders.length)
    throw new Violation("[L12] seen", "other holders");
  for (const [n, { share }] of clients.entries()) {
    const ticket = ticketOf(n);
    const receipt = { sequence: n, n: 1, keepMs: 1_000 };
    const peeked = steps.ask(stored, { kind: "peek", id, ticket, receipt }, now).reply;
    if (peeked === undefined) continue;
    const ask = { leaseMs: 2, queue: true, load: false, fences: 1, share };
    const asked = steps.ask(stored, { kind: "acquire", id, ticket, ask, receipt }, now);
    const isSame = JSON.stringify(asked.reply) === JSON.stringify(peeked);
    if (!isSame || asked.wakes.length > 0)
      throw new Violation("[L2] peek", `${ticket} is told something else`);
  }
}
