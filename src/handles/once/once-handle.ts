/**
 * The handle of a key of `store.once()`. What is remembered is read without the lock; otherwise the attempt waits in the
 * local queue of its id, like an update. It parses options; updates/once-changes.ts makes the attempt.
 */
import type { Durability } from "../../backends/contract.ts";
import { withCallersStack } from "../../caller-stacks.ts";
import { traces, type UpdateTrace } from "../../diagnostics/traces.ts";
import { InvalidArgumentError, LockTimeoutError, shownId } from "../../errors.ts";
import * as names from "../../names.ts";
import * as parse from "../../options.ts";
import { someOf, type Parsed } from "../../options.ts";
import { throwIfAborted } from "../../ownership/abort-listeners.ts";
import { insideDraft } from "../../ownership/held-grants.ts";
import { ChangeRequest } from "../../scheduling/request.ts";
import type { Session } from "../../session.ts";
import { DeleteChange } from "../../updates/change.ts";
import { forRecords } from "../../serializers/named.ts";
import { Codec } from "../../updates/codec.ts";
import { BeginOnce, type OnceAttempt, type OnceCall } from "../../updates/once-changes.ts";
import { OnceRecords, type OnceOutcome } from "../../updates/once-record.ts";
import type {
  ForgetOptions,
  Once,
  OnceOptions,
  OnceResult,
  OnceRunOptions,
  OnceTryOptions,
  Remembered,
} from "./once.ts";
import { parseOnceOptions, type ParsedOnceOptions } from "./once-options.ts";
import type { Scope } from "../scope.ts";
import type { SharedReads } from "./shared-reads.ts";
import { traceUpdate } from "../trace-handles.ts";

type Fn = (attempt: OnceAttempt) => unknown;

/** How a call ended, and whether its own function ran. */
interface Ended {
  readonly ran: boolean;
  readonly outcome: OnceOutcome;
}

export class OnceHandle implements Once {
  readonly id: string;
  readonly #key: string;
  readonly #session: Session;
  readonly #reads: SharedReads;
  readonly #options: ParsedOnceOptions;
  readonly #records: OnceRecords;

  constructor(of: { scope: Scope; reads: SharedReads }, id: string, options: OnceOptions) {
    const { session } = of.scope;
    const { settings } = session;
    const own = parseOnceOptions(options, settings.readDurability);
    this.#session = session;
    this.#reads = of.reads;
    this.#options = own;
    this.#key = names.internalId("once", of.scope.key(id, "The key of a once"));
    this.id = id;
    const serializer = own.serializer ?? forRecords(settings.serializer);
    const codec = new Codec(this.#key, serializer, settings.maxStateBytes);
    const fingerprint = own.fingerprint === undefined ? undefined : { of: own.fingerprint };
    this.#records = new OnceRecords(this.#key, codec, fingerprint);
  }

  run<R>(fn: (attempt: OnceAttempt) => R | Promise<R>, options?: OnceRunOptions): Promise<R> {
    return withCallersStack(async () => {
      const parsers = { ...this.#parsers, leaseMs: parse.leaseMs };
      const how = parse.parseOptions<Parsed<OnceRunOptions>>("run()", options, parsers);
      return valueOf((await this.#end(checked("run()", fn), how)).outcome) as R;
    });
  }

  tryRun<R>(
    fn: (attempt: OnceAttempt) => R | Promise<R>,
    options?: OnceTryOptions,
  ): Promise<OnceResult<R> | null> {
    return withCallersStack(async () => {
      const { signal, durability } = this.#parsers;
      const parsers = { leaseMs: parse.leaseMs, signal, durability };
      const how = parse.parseOptions<Parsed<OnceTryOptions>>("tryRun()", options, parsers);
      const ended = await this.#tryEnd(checked("tryRun()", fn), how);
      return ended && { ran: ended.ran, value: valueOf(ended.outcome) as R };
    });
  }

  peek(): Promise<Remembered | null> {
    return withCallersStack(async () => {
      this.#session.admit();
      return ((await this.#remembered()) as Remembered | undefined) ?? null;
    });
  }

  forget(options?: ForgetOptions): Promise<void> {
    return withCallersStack(() => {
      const how = parse.parseOptions<Parsed<ForgetOptions>>("forget()", options, this.#parsers);
      this.#admit("forget()", how.signal);
      const target = { id: this.#key, codec: this.#records.codec, durability: this.#durabilityOf(how) };
      const change = new DeleteChange(target, undefined);
      this.#session.locks.add(this.#key, new ChangeRequest(this.#wait(how), change));
      return change.promise.then(() => undefined);
    });
  }

  async #tryEnd(fn: Fn, how: Parsed<OnceTryOptions>): Promise<Ended | null> {
    try {
      return await this.#end(fn, { ...how, waitMs: 0 });
    } catch (error) {
      if (error instanceof LockTimeoutError) return null; // not the function's: that is an outcome
      throw error;
    }
  }

  #end(fn: Fn, how: Parsed<OnceRunOptions>): Promise<Ended> {
    if (!traces.update.hasSubscribers) return this.#attempt(fn, how);
    const { signal, waitMs } = how;
    const hasFailed = ({ outcome }: Ended): boolean => "error" in outcome;
    const of = {
      call: "once()",
      ids: [names.userId(this.#key)],
      signal,
      tries: waitMs === 0,
      hasFailed,
    } as const;
    return traceUpdate(of, (trace) => this.#attempt(fn, how, trace));
  }

  async #attempt(fn: Fn, how: Parsed<OnceRunOptions>, trace?: UpdateTrace): Promise<Ended> {
    this.#admit("run()", how.signal);
    const known = await this.#remembered();
    if (known !== undefined) return { ran: false, outcome: known };
    this.#session.admit(); // it may have begun to close meanwhile
    const begin = new BeginOnce(this.#call(fn, how));
    begin.trace = trace;
    this.#session.locks.add(this.#key, new ChangeRequest(this.#wait(how), begin));
    try {
      const found = await begin.promise;
      if (found !== undefined) return { ran: false, outcome: found };
    } catch (error) {
      // The lock may have been held by a call that only read the result.
      const late = error instanceof LockTimeoutError ? await this.#remembered() : undefined;
      if (late === undefined) throw error;
      return { ran: false, outcome: late };
    }
    if (begin.end === undefined) throw new Error("HOLDFAST_ONCE_NOT_ENDED");
    return { ran: true, outcome: await begin.end.promise };
  }

  /** One read, without the lock. */
  async #remembered(): Promise<OnceOutcome | undefined> {
    return this.#records.read(await this.#reads.load(this.#key)).outcome;
  }

  #admit(call: string, signal: AbortSignal | undefined): void {
    throwIfAborted(signal);
    if (insideDraft(this.#session.store, this.#key)) {
      throw new InvalidArgumentError(
        `${call} of ${shownId(this.#key)} inside a function that runs for the same key would wait for itself.`,
      );
    }
    this.#session.admit();
  }

  #call(fn: Fn, how: Parsed<OnceRunOptions>): OnceCall {
    const { keepMs, minHoldMs = 0, errors } = this.#options;
    const durability = this.#durabilityOf(how);
    return {
      records: this.#records,
      keepMs,
      minHoldMs,
      remembersErrors: errors === "remember",
      durability,
      fn,
    };
  }

  #wait(how: Parsed<OnceRunOptions>): ConstructorParameters<typeof ChangeRequest>[0] {
    const { settings } = this.#session;
    const own = this.#options;
    return {
      leaseMs: how.leaseMs ?? own.leaseMs ?? settings.leaseMs,
      waitMs: how.waitMs ?? own.waitMs ?? settings.waitMs,
      signal: how.signal,
      durability: this.#durabilityOf(how),
    };
  }

  #durabilityOf(how: { readonly durability?: Durability }): Durability | undefined {
    return someOf(how.durability ?? this.#options.durability ?? this.#session.settings.durability);
  }

  get #parsers() {
    return {
      waitMs: parse.waitMs,
      signal: parse.signal,
      durability: this.#session.settings.readDurability,
    };
  }
}

function checked(call: string, fn: unknown): Fn {
  if (typeof fn === "function") return fn as Fn;
  throw new InvalidArgumentError(
    `${call} takes a function to run once, and then its options; got ${parse.show(fn)}.`,
  );
}

function valueOf(outcome: OnceOutcome): unknown {
  if ("value" in outcome) return outcome.value;
  throw outcome.error;
}
