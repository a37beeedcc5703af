/**
 * Deletes all states whose ids begin with a prefix: page by page of the listing, each page like `deleteMany`.
 *
 * Nothing is left out in silence [S8]: a state whose lock is held waits for its turn, while later pages go on. What could
 * not be deleted is reported by one error, once all else is done. Data that cannot be read as a state is left as it is
 * [S6], and reported, too.
 */
import type { Page, StateEntry } from "../../backends/contract.ts";
import {
  ClosedError,
  CorruptStateError,
  HoldfastError,
  InvalidArgumentError,
  LockLostError,
  LockTimeoutError,
  quoted,
  UnavailableError,
} from "../../errors.ts";
import * as names from "../../names.ts";
import * as parse from "../../options.ts";
import { throwIfAborted } from "../../ownership/abort-listeners.ts";
import { parseGrantsFor } from "../../ownership/parse-grant.ts";
import type { Session } from "../../session.ts";
import { Codec } from "../../updates/codec.ts";
import type { Scope } from "../scope.ts";
import { chunksOf, subjectOf } from "./chunks.ts";
import { deletesOf } from "./delete-many.ts";
import type { DeleteAllOptions } from "./many.ts";
import { ManyWrites, throwIfUnavailable, type Answer, type How } from "./many-writes.ts";

/** So many ids are listed at a time. */
const pageSize = 500;
/** An error names so many ids. */
const maxNamed = 5;

export async function deleteAll(scope: Scope, options: DeleteAllOptions): Promise<number> {
  const { session } = scope;
  const { idPrefix, ...how } = parse.parseOptions<How & { idPrefix?: string }>("deleteAll()", options, {
    idPrefix: scope.idPrefix,
    grant: (value) => value,
    waitMs: parse.waitMs,
    signal: parse.signal,
    durability: session.settings.readDurability,
  });
  if (idPrefix === undefined) {
    throw new InvalidArgumentError(
      `deleteAll() takes { idPrefix }, and deletes the states whose ids begin with it. To delete all states, say so: ` +
        `deleteAll({ idPrefix: "" }).`,
    );
  }
  const ids = { store: session.store, isOne: (id: string) => id.startsWith(idPrefix), call: "deleteAll()" };
  if (how.grant !== undefined) parseGrantsFor(how.grant, ids);
  return new Deleting(session, idPrefix, how).run();
}

class Deleting {
  readonly #session: Session;
  readonly #idPrefix: string;
  readonly #how: How;
  readonly #waiting: { readonly ids: readonly string[]; readonly writes: ManyWrites }[] = [];
  readonly #failed = new Map<string, HoldfastError>();
  #deleted = 0;

  constructor(session: Session, idPrefix: string, how: How) {
    this.#session = session;
    this.#idPrefix = idPrefix;
    this.#how = how;
  }

  async run(): Promise<number> {
    let outage: HoldfastError | undefined;
    try {
      await this.#deletePages();
    } catch (error) {
      if (!(error instanceof UnavailableError || error instanceof ClosedError)) throw error;
      outage = error; // what waits for its turn still has an answer to come
    }
    for (const { ids, writes } of this.#waiting) this.#note(ids, await writes.answered());
    if (outage === undefined && this.#failed.size === 0) return this.#deleted;
    throw incomplete(this.#deleted, this.#failed, outage);
  }

  async #deletePages(): Promise<void> {
    const { calls, backend } = this.#session;
    const request = { idPrefix: this.#idPrefix, limit: pageSize };
    let cursor: string | null = null;
    do {
      throwIfAborted(this.#how.signal);
      this.#session.admit();
      const from: string | null = cursor;
      const page: Page<StateEntry> = await calls.read("Listing", () => backend.listStates(from, request));
      await this.#delete(page.entries.map(({ id }) => id).filter((id) => !names.isInternal(id)));
      await this.#report((page.skipped ?? []).filter((id) => !names.isInternal(id)));
      ({ cursor } = page);
    } while (cursor !== null);
  }

  async #delete(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const each = [...new Set(ids)];
    const entries = deletesOf(this.#session, each);
    const writes = new ManyWrites(this.#session, entries, { call: "deleteAll()", ...this.#how });
    await writes.send();
    if (writes.isWaiting) {
      this.#waiting.push({ ids: each, writes });
      return;
    }
    const answers = await writes.answered();
    this.#note(each, answers);
    throwIfUnavailable(answers);
  }

  #note(ids: readonly string[], answers: readonly Answer[]): void {
    for (const [place, id] of ids.entries()) {
      const answer = answers[place];
      if (answer === true) this.#deleted += 1;
      else if (answer instanceof HoldfastError) this.#failed.set(id, answer);
    }
  }

  /** What a listing leaves out is gone by now, or cannot be read. */
  async #report(ids: readonly string[]): Promise<void> {
    const { calls, backend, settings } = this.#session;
    for (const places of chunksOf(ids, backend)) {
      const some = places.map((place) => ids[place] ?? "");
      const loaded = await calls.read(subjectOf("Loading", some), () => backend.loadStates(some));
      for (const [nth, state] of loaded.entries()) {
        const id = some[nth] ?? "";
        if (state === null || !("unreadable" in state)) continue;
        this.#failed.set(
          id,
          new Codec(id, settings.serializer, settings.maxStateBytes).corrupt(state.unreadable),
        );
      }
    }
  }
}

/** Of the kind of the first failure, which is its cause. */
function incomplete(
  deleted: number,
  failed: ReadonlyMap<string, HoldfastError>,
  outage: HoldfastError | undefined,
): HoldfastError {
  const [first] = failed.values();
  const cause = outage ?? first;
  const ids = [...failed.keys()].slice(0, maxNamed).map(quoted).join(", ");
  const more = failed.size > maxNamed ? ` and ${String(failed.size - maxNamed)} more` : "";
  const left = failed.size === 0 ? "" : `; not deleted: ${ids}${more}`;
  const ended = outage === undefined ? "" : " and did not reach the end of the listing";
  const message = `deleteAll() deleted ${String(deleted)} states${ended}${left}. ${cause?.message ?? ""}`;
  const details = { cause, outcome: deleted > 0 ? "unknown" : cause?.outcome } as const;
  if (cause instanceof LockTimeoutError)
    return new LockTimeoutError(message, { ...details, code: cause.code });
  if (cause instanceof CorruptStateError) return new CorruptStateError(message, details);
  if (cause instanceof LockLostError) return new LockLostError(message, details);
  if (cause instanceof ClosedError) return new ClosedError(message, details);
  const code = cause instanceof UnavailableError ? cause.code : undefined;
  return new UnavailableError(message, { ...details, code });
}
