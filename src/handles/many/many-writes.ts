/**
 * Many plain writes, each atomic by itself: those whose locks are free are sent together. A write whose lock is held by
 * others waits for it in the queue of its id, as a single one does [S8], and so does one under a grant of the caller.
 *
 * Once the calls are sent, each entry has its answer or waits for it. Nothing is made for each entry unless it waits or
 * is refused.
 */
import type { WriteEntry, WriteStatesReply, EntryResult, Durability } from "../../backends/contract.ts";
import { forEachOf } from "../../calls/each-of.ts";
import { ClosedError, HoldfastError, InvalidArgumentError, quoted, UnavailableError } from "../../errors.ts";
import { throwIfAborted } from "../../ownership/abort-listeners.ts";
import type { HeldGrant } from "../../ownership/grant.ts";
import { heldHere, insideDraft, nearestHeld } from "../../ownership/held-grants.ts";
import { warnIfOutlived } from "../../ownership/outlived.ts";
import { parseGrantsFor } from "../../ownership/parse-grant.ts";
import { someOf } from "../../options.ts";
import type { Session } from "../../session.ts";
import { now } from "../../timers.ts";
import { publishUpdate } from "../../updates/batch.ts";
import { DeleteChange, SaveChange } from "../../updates/change.ts";
import type { Codec } from "../../updates/codec.ts";
import { traceSave } from "../../updates/trace-save.ts";
import type { UpdateTrace } from "../../diagnostics/traces.ts";
import { StateWrites } from "../state/state-writes.ts";
import { chunksOf, subjectOf } from "./chunks.ts";

export interface Entry extends WriteEntry {
  readonly codec: Codec;
  /** What `write` was made of, if it saves. */
  readonly save?: ConstructorParameters<typeof SaveChange>[1] | undefined;
}

/** The options of all entries, parsed. */
export interface How {
  readonly grant?: unknown;
  readonly waitMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly durability?: Durability | undefined;
}

export type ManyCall = "saveMany()" | "deleteMany()" | "deleteAll()";

/** The revision of a save, whether a delete found a state, or the error. */
export type Answer = number | boolean | HoldfastError;

export class ManyWrites {
  readonly #session: Session;
  readonly #entries: readonly Entry[];
  readonly #how: How;
  readonly #durability: Durability | undefined;
  /** Those of the option. */
  readonly #grants = new Map<string, HeldGrant>();
  /** What the context holds, or has held. */
  readonly #inherited = new Set<string>();
  readonly #answers: Answer[] = [];
  readonly #waiting: Promise<void>[] = [];
  readonly #begunAt = now();
  #trace: UpdateTrace | undefined;

  /** Throws if the call is a mistake: then nothing is sent. The ids differ. */
  constructor(session: Session, entries: readonly Entry[], { call, ...how }: How & { call: ManyCall }) {
    this.#session = session;
    this.#entries = entries;
    this.#how = how;
    this.#durability = someOf(how.durability ?? session.settings.durability);
    throwIfAborted(how.signal);
    session.admit();
    this.#findGrants(call);
  }

  /** Whether some entries wait for their answers. */
  get isWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** Sends what can be sent. What then waits has begun to. */
  async send(trace?: UpdateTrace): Promise<void> {
    this.#trace = trace;
    const ids = this.#entries.map(({ id }) => id);
    const { together } = this.#session.locks;
    const chunks = this.#chunks(ids).map((places) => {
      const some = places.map((place) => ids[place] ?? "");
      return { places, ahead: together.ofAny(some), answered: together.begin(some) };
    });
    try {
      await forEachOf(chunks, async ({ places, ahead, answered }) => {
        if (ahead !== undefined) await ahead; // a retry of those, or one that waits for a connection, must not come later
        await this.#sendChunk(places).finally(answered);
      });
    } finally {
      for (const { answered } of chunks) answered();
    }
  }

  /** Resolves to the answers once every entry has one. Rejects with the reason of the signal if it ended some waits. */
  async answered(): Promise<readonly Answer[]> {
    await Promise.all(this.#waiting);
    return this.#answers;
  }

  #findGrants(call: ManyCall): void {
    const { store } = this.#session;
    const { grant } = this.#how;
    if (grant !== undefined) {
      const ids = new Set(this.#entries.map(({ id }) => id));
      const isOne = (id: string): boolean => call === "deleteAll()" || ids.has(id);
      for (const one of parseGrantsFor(grant, { store, isOne, call })) this.#grants.set(one.id, one);
    }
    const context = heldHere();
    if (context === undefined) return;
    const [other] = this.#entries.filter(({ id }) => id !== context.grant.id);
    if (other !== undefined) warnIfOutlived(store, other.id, context);
    for (const { id } of this.#entries) {
      if (insideDraft(store, id)) {
        throw new InvalidArgumentError(
          `${call} of ${quoted(id)} inside a function that is changing the same state: change the draft instead.`,
        );
      }
      if (nearestHeld(store, id) !== undefined) this.#inherited.add(id);
    }
  }

  /** What is written under grants is written alone, and so is what this process has written or locked before [L2]. */
  #chunks(ids: readonly string[]): (readonly number[])[] {
    const bytesAt = (place: number): number => sizeOf(this.#entries[place]);
    const { backend, locks } = this.#session;
    const isAlone = (id: string): boolean =>
      this.#grants.has(id) || this.#inherited.has(id) || locks.isInUse(id);
    if (!ids.some(isAlone)) return chunksOf(ids, backend, bytesAt);
    const others: number[] = [];
    for (const [place, id] of ids.entries()) {
      if (isAlone(id)) this.#wait(this.#writeAlone(place));
      else others.push(place);
    }
    const placeOf = (nth: number): number => others[nth] ?? 0;
    const otherIds = others.map((place) => ids[place] ?? "");
    const chunks = chunksOf(otherIds, backend, (nth) => bytesAt(placeOf(nth)));
    return chunks.map((chunk) => chunk.map(placeOf));
  }

  async #sendChunk(places: readonly number[]): Promise<void> {
    throwIfAborted(this.#how.signal);
    const entries = places.flatMap((place) => this.#entries[place] ?? []);
    try {
      const { reply, shortage } = await this.#call(entries);
      const revision = reply.revision ?? 0;
      for (const [nth, place] of places.entries()) {
        const result = reply.results[nth];
        if (result === "saved") this.#done(place, shortage ?? revision);
        else if (result === "deleted" || result === "absent")
          this.#done(place, shortage ?? result === "deleted");
        else this.#wait(result === "busy" ? this.#writeAlone(place) : this.#refuse(place, result));
      }
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      for (const place of places) this.#answers[place] = error;
    }
  }

  #call(entries: readonly Entry[]) {
    const { calls } = this.#session;
    const ids = entries.map(({ id }) => id);
    const writes = entries.map(({ id, write }): WriteEntry => ({ id, write }));
    const subject = { ...subjectOf("Writing", ids), durability: this.#durability };
    const trace = this.#trace;
    const describe = () => ({ ids, changes: [{ trace }] });
    return traceSave(
      { describe },
      writes.map(({ write }) => write),
      () =>
        calls.exactlyOnce<WriteStatesReply>(subject, (receipt) => calls.backend.writeStates(writes, receipt)),
    );
  }

  /** A failure is thrown by `answered`. */
  #wait(answer: Promise<void>): void {
    answer.catch(() => undefined);
    this.#waiting.push(answer);
  }

  #done(place: number, answer: Answer): void {
    const entry = this.#entries[place];
    this.#answers[place] = answer;
    if (entry === undefined) return;
    this.#session.calls.watchers.changed(entry.id); // [E2]
    if (!(answer instanceof HoldfastError)) publishUpdate(entry.id, 1, entry.write);
  }

  /** The error is the one that a single write gets. */
  async #refuse(place: number, result: EntryResult | undefined): Promise<void> {
    if (typeof result !== "object") throw new Error(`HOLDFAST_MANY_REPLY: ${String(result)}`);
    const change = this.#changeOf(place);
    change.answer(result);
    await this.#answerOf(place, change.promise);
  }

  /** In the queue of its id, or under the caller's grant: that of the option, or the one that it finds in this context. */
  async #writeAlone(place: number): Promise<void> {
    const { id = "", write } = this.#entries[place] ?? {};
    const { signal } = this.#how;
    const waitMs = this.#how.waitMs ?? this.#session.settings.waitMs;
    const grant = this.#grants.get(id);
    const leftMs = Math.ceil(Math.max(0, waitMs - (now() - this.#begunAt))); // whole, since a message shows it
    const how = { waitMs: leftMs, signal, ...(grant && { grant }) };
    const writes = new StateWrites(this.#session, id);
    const call = write?.kind === "save" ? "save()" : "delete()";
    const make = async (): Promise<unknown> =>
      writes.make<unknown>(call, how as Parameters<StateWrites["make"]>[1], () => this.#changeOf(place));
    await this.#answerOf(place, make());
  }

  async #answerOf(place: number, written: Promise<unknown>): Promise<void> {
    try {
      const result = await written;
      this.#answers[place] = typeof result === "number" ? result : result !== false;
    } catch (error) {
      if (!(error instanceof HoldfastError) || error === this.#how.signal?.reason) throw error;
      this.#answers[place] = error;
    }
  }

  #changeOf(place: number): SaveChange | DeleteChange {
    const entry = this.#entries[place];
    if (entry === undefined) throw new Error(`HOLDFAST_MANY_PLACE: ${String(place)}`);
    const { id, codec, save, write } = entry;
    const target = { id, codec, durability: this.#durability };
    return save === undefined ? new DeleteChange(target, write.ifRevision) : new SaveChange(target, save);
  }
}

function sizeOf(entry: Entry | undefined): number {
  return entry?.write.kind === "save" ? entry.write.bytes.byteLength : 0;
}

/** Throws the error of an outage if that is all that was answered: then each answer would say the same. */
export function throwIfUnavailable(answers: readonly Answer[]): void {
  const [first] = answers;
  const isAway = (answer: Answer): boolean =>
    answer instanceof UnavailableError || answer instanceof ClosedError;
  if (first !== undefined && answers.every(isAway)) throw first as HoldfastError;
}
