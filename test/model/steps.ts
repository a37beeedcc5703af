// What can happen next in a state: calls of clients, whose replies or requests may be lost, wakes, time, and others.

import type { decide } from "../../src/backends/rows/decide.ts";
import type { CommitEntry } from "../../src/backends/contract.ts";
import { save } from "../../src/testing/contract-client.ts";
import type { Decision, RowRequest } from "../../src/backends/rows/request-types.ts";
import { leaseMs, rules } from "./programs.ts";
import { check, Violation } from "./rules.ts";
import { secondTicket, ticketOf, type Call, type Client, type State } from "./state.ts";
import { changed, id, liveHolders, rowsOf, secondId, type Stored } from "./world.ts";

export type Decide = typeof decide;

/** Of the first client, beside the one of its ticket; there are at most three clients, and three others from outside. */
const sequenceOfSecond = 6;
const sequenceOfCommit = 7;

export interface Next {
  readonly what: string;
  readonly state: State;
}

export class Steps {
  readonly #decide: Decide;

  constructor(decide: Decide) {
    this.#decide = decide;
  }

  *from(state: State): Generator<Next> {
    yield { what: "time passes", state: { ...state, now: state.now + 1 } };
    for (const client of state.clients.keys()) yield* this.#ofClient(state, client);
    if (state.late !== null) yield this.#late(state, state.late);
    if (state.mayForce) yield* this.#forces(state);
    for (const limit of state.mayResize) yield this.#resize(state, limit);
  }

  /** What the server would answer, and change. */
  ask(stored: Stored, request: RowRequest, now: number): Decision {
    return this.#decide(rowsOf(stored), request, { now, micros: now * 1_000, rules });
  }

  *#ofClient(state: State, client: number): Generator<Next> {
    const { phase, until, wakeMs, unanswered, second } = this.#client(state, client);
    if (wakeMs !== null) yield this.#wake(state, client, wakeMs);
    if (unanswered !== null) {
      yield this.#call(state, client, unanswered);
      return;
    }
    if (phase === "idle" || phase === "waiting") yield* this.#calls(state, client, "ask");
    if (phase === "held" && until > state.now) {
      yield this.#renew(state, client);
      yield* this.#calls(state, client, "release");
      if (second === "later") yield this.#askForSecond(state, client);
    }
    // Also once its leases are over: the request may have been on its way.
    if (phase === "held" && second === "asked") yield* this.#calls(state, client, "commit");
    if (phase === "waiting" || phase === "held") yield* this.#calls(state, client, "cancel");
  }

  /** The call is answered; or its reply is lost; or its request is late, and a retry is answered before. */
  *#calls(state: State, client: number, call: Call): Generator<Next> {
    yield this.#call(state, client, call);
    if (!state.mayFail) return;
    const failed = { ...state, mayFail: false };
    // From its release on, it no longer believes that it holds.
    const unanswered: Partial<Client> = {
      ...{ unanswered: call, until: 0 },
      ...(call === "ask" && { askedAt: state.now }),
    };
    const lost = this.#carryOut(failed, client, { call, isRetry: false });
    yield {
      what: `${name(client)} ${call}s, the reply is lost`,
      state: withClient(lost.state, client, unanswered),
    };
    const late = { ...withOrder(failed, client, call), late: { client, call } };
    yield {
      what: `${name(client)} ${call}s, the request is late`,
      state: withClient(late, client, unanswered),
    };
  }

  #call(state: State, client: number, call: Call): Next {
    const isRetry = this.#client(state, client).unanswered !== null;
    const done = this.#carryOut(state, client, { call, isRetry });
    const { askedAt, hasAskedAgain, wakeMs } = this.#client(done.state, client);
    const { status } = done.reply;
    const over: Partial<Client> = { phase: "over", unanswered: null, until: 0, wakeMs: null };
    const asked = { unanswered: null, askedAt: state.now, hasAskedAgain: hasAskedAgain || askedAt > 0 };
    const next: Partial<Client> =
      status === "granted"
        ? { ...asked, phase: "held", until: state.now + leaseMs, wakeMs: null }
        : status === "waiting"
          ? { ...asked, phase: "waiting", wakeMs }
          : over;
    if (call === "ask" && status === "settled")
      throw new Violation("[S5] settled", `${name(client)} never ended`);
    return { what: `${name(client)} ${call}s: ${status}`, state: withClient(done.state, client, next) };
  }

  /** It is free. No other client asks for it. */
  #askForSecond(state: State, client: number): Next {
    const ask = { leaseMs, queue: false, load: false, fences: 1, share: undefined };
    const { receipt } = once(sequenceOfSecond, 1);
    const request = { kind: "acquire", id: secondId, ticket: secondTicket, ask, receipt } as const;
    const { state: after, reply } = this.#server(state, request);
    if (reply.status !== "granted") throw new Violation("[L1] second", reply.status);
    return {
      what: `${name(client)} asks for ${secondId}`,
      state: withClient(after, client, { second: "asked" }),
    };
  }

  #renew(state: State, client: number): Next {
    const request = { kind: "renew", entries: [{ id, ticket: ticketOf(client), leaseMs }] } as const;
    const { state: after, reply } = this.#server(state, request);
    const isRenewed = (reply as unknown as string[])[0] === "renewed";
    const held = liveHolders(state.stored, state.now).some(({ ticket }) => ticket === ticketOf(client));
    if (held !== isRenewed) throw new Violation("[L6] renewal", `${name(client)}: ${String(isRenewed)}`);
    const next: Partial<Client> = isRenewed ? { until: state.now + leaseMs } : { phase: "over", until: 0 };
    return { what: `${name(client)} renews`, state: withClient(after, client, next) };
  }

  /** [L5] A wake is believed by one that has asked once, from when it asked. */
  #wake(state: State, client: number, wakeMs: number): Next {
    const { phase, askedAt, hasAskedAgain, unanswered } = this.#client(state, client);
    const until = askedAt + wakeMs;
    const isBelieved = phase === "waiting" && !hasAskedAgain && unanswered === null && until > state.now;
    const next: Partial<Client> = isBelieved ? { phase: "held", until, wakeMs: null } : { wakeMs: null };
    return { what: `${name(client)} hears its wake`, state: withClient(state, client, next) };
  }

  #late(state: State, { client, call }: NonNullable<State["late"]>): Next {
    const { state: after, reply } = this.#carryOut(state, client, { call, isRetry: false });
    return {
      what: `${name(client)}'s late ${call} arrives: ${reply.status}`,
      state: { ...after, late: null },
    };
  }

  *#forces(state: State): Generator<Next> {
    if (state.stored.secondLock !== null) yield this.#forceSecond(state);
    for (const client of state.clients.keys()) {
      const ticket = ticketOf(client);
      if (!liveHolders(state.stored, state.now).some((held) => held.ticket === ticket)) continue;
      const outside = state.clients.length;
      const request = { ...once(outside, 1), kind: "release", id, ticket, release: { forced: {} } } as const;
      const { state: after } = this.#server({ ...state, mayForce: false }, request);
      yield {
        what: `somebody releases ${name(client)}`,
        state: withClient(after, client, { isForced: true }),
      };
    }
  }

  #forceSecond(state: State): Next {
    const outside = state.clients.length;
    const of = { id: secondId, ticket: secondTicket, release: { forced: {} } };
    const request = { ...once(outside, 1), kind: "release", ...of } as const;
    const { state: after } = this.#server({ ...state, mayForce: false }, request);
    return { what: `somebody releases ${secondId}`, state: after };
  }

  #resize(state: State, limit: number): Next {
    const outside = state.clients.length + 1;
    const change = { kind: "resize", limit, created: null } as const;
    const n = 10 - state.mayResize.length;
    const request = { ...once(outside, n), kind: "semaphore", id, change } as const;
    const { state: after } = this.#server(
      { ...state, mayResize: state.mayResize.filter((one) => one !== limit) },
      request,
    );
    return { what: `somebody sets the limit to ${String(limit)}`, state: after };
  }

  #carryOut(state: State, client: number, { call, isRetry }: { call: Call; isRetry: boolean }) {
    const request = requestOf(client, call, { isRetry, share: this.#client(state, client).share });
    return this.#server(withOrder(state, client, call), request);
  }

  /** A step of the server, which is checked. */
  #server(state: State, request: RowRequest): { state: State; reply: { status: string } } {
    const { now, stored, lastFence, order } = state;
    const decision = this.ask(stored, request, now);
    const after = changed(stored, decision.changes);
    const settled = state.clients.flatMap((_, n) => {
      const status = stored.receipts[n]?.reply.status;
      return status === "released" || status === "cancelled" ? [ticketOf(n)] : [];
    });
    if (state.isCommitted) settled.push(ticketOf(0), secondTicket);
    check({ before: stored, after, request, decision, now, lastFence, order: order.map(ticketOf), settled });
    const fences = liveHolders(after, now).map(({ fence, fences }) => fence + fences - 1);
    const reply = decision.reply as { status: string };
    const isCommitted = state.isCommitted || reply.status === "committed";
    const next = { ...state, stored: after, lastFence: Math.max(lastFence, ...fences), isCommitted };
    return { state: withWakes(next, decision), reply };
  }

  #client(state: State, client: number): Client {
    const found = state.clients[client];
    if (found === undefined) throw new Error("there is no such client");
    return found;
  }
}

function requestOf(
  client: number,
  call: Call,
  { isRetry, share }: { readonly isRetry: boolean; readonly share: Client["share"] },
): RowRequest {
  const ticket = ticketOf(client);
  if (call === "ask") {
    const ask = { leaseMs, queue: true, load: false, fences: 1, share };
    return { kind: "acquire", id, ticket, ask, receipt: once(client, 1).receipt };
  }
  if (call === "commit")
    return { ...once(sequenceOfCommit, 1, isRetry), kind: "commit", entries: entriesOf(ticket, client) };
  if (call === "release") return { ...once(client, 1, isRetry), kind: "release", id, ticket, release: {} };
  return { ...once(client, 2, isRetry), kind: "cancel", id, ticket };
}

/** [S9] Two states, and both locks are released. */
function entriesOf(ticket: string, client: number): readonly CommitEntry[] {
  return [
    { id, ticket, write: save("1"), release: once(client, 1).receipt },
    { id: secondId, ticket: secondTicket, write: save("2"), release: once(sequenceOfSecond, 1).receipt },
  ];
}

function once(client: number, n: number, retry = false) {
  return { receipt: { sequence: client, n, keepMs: 1_000 }, attempt: { retry, proof: undefined } };
}

function withClient(state: State, client: number, more: Partial<Client>): State {
  return { ...state, clients: state.clients.map((one, n) => (n === client ? { ...one, ...more } : one)) };
}

/** A ticket keeps its place while it asks often enough. */
function withOrder(state: State, client: number, call: Call): State {
  const { stored, now, order } = state;
  const isPresent = stored.waiters.some(
    ({ ticket, askedAt }) => ticket === ticketOf(client) && askedAt + rules.limits.askLimitMs > now,
  );
  if (call !== "ask" || isPresent) return state;
  return { ...state, order: [...order.filter((one) => one !== client), client] };
}

function withWakes(state: State, { wakes }: Decision): State {
  return wakes.reduce((next, wake) => {
    const client = next.clients.findIndex((_, n) => ticketOf(n) === wake.ticket);
    return wake.kind === "granted" ? withClient(next, client, { wakeMs: wake.leaseMs }) : next;
  }, state);
}

function name(client: number): string {
  return "ABC"[client] ?? "";
}
