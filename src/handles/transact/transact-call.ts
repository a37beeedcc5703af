/**
 * A call of `store.transact()`. It parses the states and the options and acquires the locks; updates/transaction.ts does
 * the rest.
 */
import type { Durability } from "../../backends/contract.ts";
import { traces, type UpdateTrace } from "../../diagnostics/traces.ts";
import { InvalidArgumentError, quoted } from "../../errors.ts";
import { chosenLife } from "../../life-options.ts";
import * as parse from "../../options.ts";
import { someOf, type Parsed } from "../../options.ts";
import { throwIfAborted } from "../../ownership/abort-listeners.ts";
import type { HeldGrant } from "../../ownership/grant.ts";
import type { HeldSet } from "../../ownership/grant-set.ts";
import { fencesById } from "../../ownership/views/grant-views.ts";
import { insideDraft, nearestHeld } from "../../ownership/held-grants.ts";
import { outlivedError } from "../../ownership/outlived.ts";
import { parseGrantsFor } from "../../ownership/parse-grant.ts";
import { warnOfUnanswered } from "../../ownership/unanswered-release.ts";
import type { WaitOptions } from "../../ownership/wait-options.ts";
import { compareIds } from "../../ids/id-order.ts";
import type { Session } from "../../session.ts";
import { now } from "../../timers.ts";
import { Transaction, type TransactionContext } from "../../updates/transaction.ts";
import { acquireSet, type WantedSet } from "../acquire-set.ts";
import type { Scope } from "../scope.ts";
import { StateHandle } from "../state/state-handle.ts";
import { traceUpdate } from "../trace-handles.ts";
import type { TransactContext, TransactOptions } from "./transact.ts";

/** One script writes all of them, and the server does nothing else meanwhile. */
const maxStates = 32;

type Handle = StateHandle<unknown, unknown>;

type Options = Omit<Parsed<TransactOptions>, "grant"> & { grant?: readonly HeldGrant[] };

/** What the caller gave. */
interface Call {
  readonly states: unknown;
  readonly fn: unknown;
  readonly options: TransactOptions | undefined;
}

export async function transact(scope: Scope, { states: given, fn, options }: Call): Promise<unknown> {
  const { session } = scope;
  const { settings } = session;
  const states = parseStates(scope, given);
  if (typeof fn !== "function")
    throw new InvalidArgumentError(
      `transact() takes the states and a function that changes their drafts: transact([a, b], ([a, b]) => { … }); got ` +
        `${parse.show(fn)}.`,
    );
  const ids = states.map(({ key }) => key).sort(compareIds);
  const own = parseOptions(session, ids, options);
  const { signal, maxHoldMs, grant = [] } = own;
  const durability = someOf(own.durability ?? durabilityOf(states));
  throwIfAborted(signal);
  for (const state of states) checkContext(session, state.key, grant);
  const how = {
    leaseMs: settings.leaseMs,
    waitMs: own.waitMs ?? settings.waitMs,
    signal,
    maxHoldMs,
    load: true,
  };
  const changing = { scope, states, fn: fn as UserFunction, wanted: { ids, given: grant }, how, durability };
  if (!traces.update.hasSubscribers) return change(changing);
  return traceUpdate({ call: "transact()", ids, signal }, (trace) => change(changing, trace));
}

/** A call that was checked. */
interface Changing {
  readonly scope: Scope;
  readonly states: readonly Handle[];
  readonly fn: UserFunction;
  readonly wanted: WantedSet<string>;
  readonly how: WaitOptions;
  readonly durability: Durability | undefined;
}

async function change(call: Changing, trace?: UpdateTrace): Promise<unknown> {
  const { session } = call.scope;
  const { calls, settings, store } = session;
  const { states, fn, durability } = call;
  const beganAt = now();
  const set = await acquireSet(session, call.wanted, call.how);
  if (trace !== undefined) {
    trace.waitedMs = now() - beganAt;
    trace.fences = set.grants.map(({ fence }) => fence);
  }
  calls.keepAlive.ref(); // [P1]
  try {
    const participants = states.map((state) => state.participant);
    const maxBytes = settings.maxStateBytes;
    const of = { calls, states: participants, store, maxBytes, durability, trace };
    const transaction = new Transaction(of, set);
    return await transaction.run((drafts, context) => fn(drafts, new Context(call, context)));
  } finally {
    // What was committed is committed, and an error of the function or the commit takes precedence.
    await set.end().catch((error: unknown) => warnOfUnanswered(set.title, error));
    calls.keepAlive.unref();
  }
}

type UserFunction = (drafts: unknown[], context: TransactContext) => unknown;

/** A view, so that a function finds only the documented members. */
class Context implements TransactContext {
  readonly fences: Readonly<Record<string, number>>;
  readonly #prefix: string;
  readonly #states: readonly Handle[];
  readonly #set: HeldSet;
  readonly #decide: Pick<TransactionContext, "remove" | "setTtl">;

  constructor({ scope, states }: Changing, { set, ...decide }: TransactionContext) {
    this.fences = fencesById(set, (key) => scope.idOf(key));
    this.#prefix = scope.prefix;
    this.#states = states;
    this.#set = set;
    this.#decide = decide;
  }

  get signal(): AbortSignal {
    return this.#set.signal;
  }

  get closing(): AbortSignal {
    return this.#set.closing;
  }

  // Made when they are asked for: they may be taken out of the context, which most functions do not use.
  get delete(): TransactContext["delete"] {
    return (state) => this.#decide.remove(this.#keyOf("delete()", state));
  }

  get setTtl(): TransactContext["setTtl"] {
    return (state, ttl) => {
      const key = this.#keyOf("setTtl()", state);
      this.#decide.setTtl(key, chosenLife(ttl, "The second argument of setTtl()"));
    };
  }

  #keyOf(call: string, state: unknown): string {
    const key = this.#givenKey(state);
    if (key !== undefined && this.#states.some((one) => one.key === key)) return key;
    throw new InvalidArgumentError(
      `${call} takes one of the states of this transact(); got ${key === undefined ? parse.show(state) : quoted(key)}.`,
    );
  }

  /** A caller in JavaScript may pass anything. */
  #givenKey(state: unknown): string | undefined {
    if (state instanceof StateHandle) return state.key;
    const id = (state as { id?: unknown } | null | undefined)?.id;
    return typeof id === "string" ? this.#prefix + id : undefined;
  }
}

function parseStates(scope: Scope, given: unknown): readonly Handle[] {
  if (!Array.isArray(given) || given.length === 0)
    throw new InvalidArgumentError(
      `transact() takes an array of at least one state; got ${parse.show(given)}.`,
    );
  if (given.length > maxStates) {
    throw new InvalidArgumentError(
      `transact() takes at most ${maxStates} states; got ${given.length}. Keep what changes together in fewer states.`,
    );
  }
  const states = given.map((one) => parseState(scope, one));
  const known = new Set<string>();
  for (const { key } of states) {
    if (known.size === known.add(key).size)
      throw new InvalidArgumentError(
        `transact() was given the state ${quoted(key)} twice: name each state once.`,
      );
  }
  checkShards(scope.session, states);
  return states;
}

function parseState(scope: Scope, given: unknown): Handle {
  if (!(given instanceof StateHandle))
    throw new InvalidArgumentError(
      `transact() takes states of this store: store.state(id); got ${parse.show(given)}.`,
    );
  const state = given as Handle;
  if (!state.isOf(scope.session))
    throw new InvalidArgumentError(
      `The state ${quoted(state.key)} belongs to another store: transact() takes states of its own.`,
    );
  if (!scope.has(state.key)) {
    throw new InvalidArgumentError(
      `The state ${quoted(state.key)} is not in the view ${quoted(scope.prefix)}, and transact() of a view takes states of ` +
        `its own. Call transact() of the store, which takes those of all views.`,
    );
  }
  return state;
}

/** A commit is one step of one shard. */
function checkShards({ backend }: Session, [first, ...others]: readonly Handle[]): void {
  const shardOf = backend.shardOf;
  if (shardOf === undefined || first === undefined) return;
  const elsewhere = others.find(({ key }) => shardOf(key) !== shardOf(first.key));
  if (elsewhere === undefined) return;
  throw new InvalidArgumentError(
    `The states ${quoted(first.key)} and ${quoted(elsewhere.key)} are on different shards, so they cannot be changed in one ` +
      `step. Give their ids a common tag in braces, which then decides the shard: ` +
      `${JSON.stringify(`{bank}:${first.id}`)}, ${JSON.stringify(`{bank}:${elsewhere.id}`)}.`,
  );
}

function parseOptions(
  { settings, store }: Session,
  ids: readonly string[],
  options: TransactOptions | undefined,
): Options {
  return parse.parseOptions<Options>("transact()", options, {
    waitMs: parse.waitMs,
    signal: parse.signal,
    durability: settings.readDurability,
    maxHoldMs: parse.maxHoldMs,
    grant: (value) => parseGrantsFor(value, { store, isOne: (id) => ids.includes(id), call: "transact()" }),
  });
}

/** The one of all states that asks for most: its own, or that of the store. */
function durabilityOf(states: readonly Handle[]): Durability | undefined {
  return states
    .map(({ durability }) => durability)
    .reduce((most, one) => ((one?.replicas ?? 0) > (most?.replicas ?? 0) ? one : most), undefined);
}

/** [S4] What the caller has inherited must not have ended, and it must not be changing the same state already. */
function checkContext({ store }: Session, id: string, given: readonly HeldGrant[]): void {
  if (insideDraft(store, id))
    throw new InvalidArgumentError(
      `transact() of ${quoted(id)} inside a function that is changing the same state: change the draft instead.`,
    );
  const own = given.find((one) => one.id === id);
  const grant = own ?? nearestHeld(store, id)?.grant;
  const lost = grant?.lossError;
  if (grant !== undefined && lost !== undefined) throw own === undefined ? outlivedError(grant, lost) : lost;
}
