/**
 * The writes of one state: each waits in the local queue of its id, or is made under a grant that the caller holds
 * [S8]. It knows neither values nor serializers.
 */
import { throwIfAborted } from "../../ownership/abort-listeners.ts";
import type { HeldGrant } from "../../ownership/grant.ts";
import { insideDraft, nearestHeld } from "../../ownership/held-grants.ts";
import { outlivedError } from "../../ownership/outlived.ts";
import { parseGrant } from "../../ownership/parse-grant.ts";
import type { Grant } from "../../ownership/public-grant.ts";
import type { WaitOptions } from "../../ownership/wait-options.ts";
import { traces } from "../../diagnostics/traces.ts";
import { InvalidArgumentError, quoted } from "../../errors.ts";
import * as parse from "../../options.ts";
import type { Parsed, Parser } from "../../options.ts";
import { ChangeRequest } from "../../scheduling/request.ts";
import type { Session } from "../../session.ts";
import { changeUnder } from "../../updates/change-under-grant.ts";
import type { Change } from "../../updates/change.ts";
import { traceChange, type WriteCall } from "../trace-handles.ts";
import type { WriteOptions } from "./state.ts";

type WriteParsers = {
  readonly [K in keyof Required<Parsed<WriteOptions>>]: Parser<Required<Parsed<WriteOptions>>[K]>;
};

export class StateWrites {
  readonly #session: Session;
  readonly #id: string;

  constructor(session: Session, id: string) {
    this.#session = session;
    this.#id = id;
  }

  /** The parsers of the options that every write has. */
  get parsers(): WriteParsers {
    return {
      grant: (value: unknown): Grant => parseGrant(value, this.#session.store, this.#id),
      waitMs: parse.waitMs,
      signal: parse.signal,
      durability: this.#session.settings.readDurability,
    };
  }

  /** Queues the change for its id, or makes it under the grant that the caller holds. */
  make<R>(call: WriteCall, how: Parsed<WriteOptions>, makeChange: () => Change<R>): Promise<R> {
    if (!traces.update.hasSubscribers) return this.#change(call, how, makeChange);
    const of = { call, ids: [this.#id], signal: how.signal };
    return traceChange(of, makeChange, (make) => this.#change(call, how, make));
  }

  #change<R>(call: string, how: Parsed<WriteOptions>, makeChange: () => Change<R>): Promise<R> {
    const { calls, locks, settings } = this.#session;
    throwIfAborted(how.signal);
    const grant = this.#grant(call, how.grant as HeldGrant | undefined);
    this.#session.admit(grant);
    const change = makeChange();
    const wait: WaitOptions = {
      leaseMs: settings.leaseMs,
      waitMs: how.waitMs ?? settings.waitMs,
      signal: how.signal,
      durability: change.durability,
    };
    if (grant === undefined) locks.add(this.#id, new ChangeRequest(wait, change));
    else void changeUnder(calls, change, { ...wait, grant });
    return change.promise;
  }

  /** The grant to write under: the option, otherwise the context's; `undefined`: the write needs a lock of its own. */
  #grant(call: string, given: HeldGrant | undefined): HeldGrant | undefined {
    const { store } = this.#session;
    if (insideDraft(store, this.#id)) {
      throw new InvalidArgumentError(
        `${call} of ${quoted(this.#id)} inside a function that is changing the same state: change the draft instead.`,
      );
    }
    const grant = given ?? nearestHeld(store, this.#id)?.grant;
    const lost = grant?.lossError;
    if (grant !== undefined && lost !== undefined)
      throw given === undefined ? outlivedError(grant, lost) : lost; // [S4] a caller whose inherited grant has ended must not write as if it held it
    if (grant?.hold.share !== undefined) {
      throw new InvalidArgumentError(
        `${call} of ${JSON.stringify(this.#id)} under a shared lock, which others may hold as well: shared holders can only ` +
          `read. Acquire the lock without { shared: true } to write.`,
      );
    }
    return grant;
  }
}
