/**
 * Tells the backend which tickets the holds of this process wait for, and hears of the cycles that this closes [L15].
 *
 * A wait is noted once it has lasted for a while, since most are short; that it has ended is noted at once. Calls are
 * made one after another, so that the backend always has the latest: each names all tickets that a hold waits for.
 */
import type { Deadlock, QueuedAsk } from "../../backends/contract.ts";
import type { BackendCalls } from "../../calls/backend-calls.ts";
import { UnavailableError } from "../../errors.ts";
import type { Hold } from "../../leases/hold.ts";
import { runOutside } from "../../ownership/async-context.ts";
import { soon } from "../../timers.ts";

/** How long a wait lasts before it is noted. */
const noteAfterMs = 50;
/** In one call. */
const maxNotes = 64;
/** From the last call on; a client that died leaves its notes behind for that long. */
const keepMs = 86_400_000;
/** Before the reply, it is not known what the backend has. */
const unknown = "?";

export interface WaitNotesOptions {
  readonly asksOf: (hold: Hold) => readonly QueuedAsk[];
  /** A cycle that begins with this hold, and with one of its asks. */
  readonly onDeadlock: (hold: Hold, cycle: Deadlock) => void;
}

interface Note {
  readonly hold: Hold;
  readonly asks: readonly QueuedAsk[];
}

export class WaitNotes {
  readonly #calls: BackendCalls;
  readonly #options: WaitNotesOptions;
  /** The tickets that the backend has been told of, in one string; without any, there is no entry. */
  readonly #told = new Map<Hold, string>();
  /** To be looked at now, and when the deadline is over. */
  readonly #now = new Set<Hold>();
  readonly #later = new Set<Hold>();
  #isDeadlineSet = false;
  #n = 0;
  #isSending = false;
  /** The backend refuses such calls. */
  #isOff = false;

  constructor(calls: BackendCalls, options: WaitNotesOptions) {
    this.#calls = calls;
    this.#options = options;
  }

  /** Whether the backend has a note about it, or may have one. */
  mayHave(hold: Hold): boolean {
    return this.#told.has(hold);
  }

  /** It may wait for others than before; `isLess`: only for fewer. */
  changed(hold: Hold, isLess = false): void {
    if (this.#isOff) return;
    if (this.#told.has(hold)) {
      this.#now.add(hold);
      runOutside(() => soon(() => this.#send()));
    } else if (!isLess) {
      this.#later.add(hold);
      if (this.#isDeadlineSet) return;
      this.#isDeadlineSet = true;
      this.#calls.deadlines.set(noteAfterMs, () => this.#due());
    }
  }

  #due(): void {
    this.#isDeadlineSet = false;
    for (const hold of this.#later) this.#now.add(hold);
    this.#later.clear();
    runOutside(() => this.#send());
  }

  #send(): void {
    if (this.#isSending || this.#calls.isClosed) return;
    const notes = this.#take();
    const [first] = notes;
    if (first === undefined) return;
    this.#isSending = true;
    this.#n += 1;
    const order = { n: this.#n, keepMs };
    const sent = notes.map(({ hold: { id, ticket }, asks }) => ({
      ...{ id, ticket },
      asks: asks.map((ask) => ({ id: ask.id, ticket: ask.ticket })),
    }));
    const { backend } = this.#calls;
    this.#calls
      .idempotent({ doing: "Noting what waits under the lock", id: first.hold.id }, () =>
        backend.noteWaits(sent, order),
      )
      .then((found) => this.#noted(notes, found))
      .catch((error: unknown) => this.#failed(notes, error)) // a user's own backend may return an unreadable reply
      .finally(() => {
        this.#isSending = false;
        this.#send();
      });
  }

  /** What the backend does not know yet. */
  #take(): readonly Note[] {
    const notes: Note[] = [];
    for (const hold of this.#now) {
      if (notes.length === maxNotes) break;
      this.#now.delete(hold);
      const asks = this.#options.asksOf(hold);
      if (textOf(asks) === (this.#told.get(hold) ?? "")) continue;
      notes.push({ hold, asks });
      this.#told.set(hold, unknown);
    }
    return notes;
  }

  /** Asks that close a cycle are not noted, and one of them is returned. */
  #noted(notes: readonly Note[], found: readonly (Deadlock | null)[]): void {
    notes.forEach(({ hold, asks }, index) => {
      const cycle = found[index] ?? null;
      const closing = cycle?.[0]?.ask.ticket;
      const others = asks.filter(({ ticket }) => ticket !== closing);
      if (others.length === 0) this.#told.delete(hold);
      // They may close cycles as well: what is noted of them is not known.
      else this.#told.set(hold, others.length < asks.length ? unknown : textOf(asks));
      if (cycle === null) return;
      this.#options.onDeadlock(hold, cycle);
      this.changed(hold); // the others count again
    });
  }

  /**
   * Callers do not learn of this: without notes, a deadlock ends with a `waitMs`. A hold of which the backend may have
   * a note serves no other caller, and the note is worth nothing once its ticket has released the lock.
   */
  #failed(notes: readonly Note[], error: unknown): void {
    this.#isOff = !(error instanceof UnavailableError) || error.lasting;
    for (const { hold } of notes) {
      hold.taint();
      if (hold.isLive) this.changed(hold);
      else this.#told.delete(hold);
    }
  }
}

function textOf(asks: readonly QueuedAsk[]): string {
  return asks.map(({ ticket }) => ticket).join(" ");
}
