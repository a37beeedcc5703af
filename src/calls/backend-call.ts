/**
 * One call of a backend: attempts until one gets a reply, all within one deadline.
 *
 * An attempt has two phases: connecting, then sent. They decide the outcome in an error: a call that ends while it
 * connects was not carried out, and is not sent after its caller has the error.
 */
import type { Backend } from "../backends/contract.ts";
import { traceCall } from "../diagnostics/trace-call.ts";
import { traces, type CallTrace } from "../diagnostics/traces.ts";
import { HoldfastError, UnavailableError, type Outcome } from "../errors.ts";
import { userId } from "../names.ts";
import { now, pause, spread, type Deadline, type Deadlines } from "../timers.ts";
import { doingOf, ended, idOf, noAnswer, outOfTime, withOutcome, type Subject } from "./call-errors.ts";

/** The first pause between two attempts; it doubles up to the longest. */
const firstPauseMs = 1;
const longestPauseMs = 100;

/** What all calls of one opened store share. */
export interface CallSettings {
  readonly backend: Pick<Backend, "name" | "connect">;
  readonly operationMs: number;
  readonly deadlines: Deadlines;
  /** Whether the store was closed: then nothing is retried. */
  readonly isClosed: boolean;
}

/** Is called when a call ends. */
export interface Listener<R> {
  readonly resolve: (reply: R) => void;
  readonly reject: (error: unknown) => void;
}

export class BackendCall<R> {
  readonly #calls: CallSettings;
  readonly #subject: Subject;
  readonly #attempt: (sentAt: number) => Promise<R>;
  readonly #listener: Listener<R>;
  readonly #onOver: () => void;
  #deadline: Deadline | undefined;
  #endsAt = 0;
  #pauseMs = firstPauseMs;
  #sentAt = 0;
  /** Whether an attempt has been sent and has no reply yet. */
  #isSent = false;
  #isOver = false;
  #attempts = 0;
  #endTrace: ((error: unknown) => void) | undefined;
  #outcome: Outcome = "none";
  #cause: HoldfastError | undefined;

  constructor(of: {
    calls: CallSettings;
    subject: Subject;
    attempt: (sentAt: number) => Promise<R>;
    listener: Listener<R>;
    onOver: () => void;
  }) {
    this.#calls = of.calls;
    this.#subject = of.subject;
    this.#attempt = of.attempt;
    this.#listener = of.listener;
    this.#onOver = of.onOver;
  }

  begin(from: number): void {
    this.#limit(from);
    this.#try(from);
  }

  #try(at: number): void {
    const connecting = this.#connecting();
    if (connecting === undefined) this.#send(at);
    else void this.#sendOnceConnected(connecting);
  }

  async #sendOnceConnected(connecting: Promise<void>): Promise<void> {
    try {
      await connecting;
    } catch (error) {
      this.#failed(error, "none"); // nothing of this call was sent, even if the error's outcome says otherwise
      return;
    }
    if (!this.#isOver) this.#send(now());
  }

  /** A user's own backend may throw synchronously, or return no promise. */
  #connecting(): Promise<void> | undefined {
    try {
      const connecting = this.#calls.backend.connect?.(idOf(this.#subject));
      return connecting === undefined ? undefined : Promise.resolve(connecting);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #send(sentAt: number): void {
    this.#isSent = true;
    this.#sentAt = sentAt;
    this.#attempts += 1;
    this.#attempted(sentAt).then(
      (reply) => {
        if (this.#isOver) return; // its callers already have the error for a call without an answer
        this.#end();
        this.#tell(reply);
      },
      (error: unknown) => this.#failed(error, error instanceof HoldfastError ? error.outcome : "unknown"),
    );
  }

  /** A backend that hangs must not hang its callers. */
  #limit(from: number): void {
    const { operationMs, deadlines } = this.#calls;
    this.#endsAt = from + operationMs;
    this.#deadline = deadlines.set(operationMs, () => this.#late(), from);
  }

  #attempted(sentAt: number): Promise<R> {
    try {
      if (traces.call.hasSubscribers) return this.#traced(sentAt);
      return Promise.resolve(this.#attempt(sentAt));
    } catch (error) {
      return Promise.reject(error); // from a user's own backend
    }
  }

  #traced(sentAt: number): Promise<R> {
    const id = idOf(this.#subject);
    const ids = id === undefined ? [] : [userId(id)];
    const trace: CallTrace = { doing: doingOf(this.#subject), ids, attempt: this.#attempts };
    // An attempt may never be answered; what is traced of it ends with the call.
    const over = new Promise<never>((_, reject) => (this.#endTrace = reject));
    const attempted = async (): Promise<R> => this.#attempt(sentAt);
    const attempt = (): Promise<R> => Promise.race([attempted(), over]);
    return traceCall(traces.call, { trace, answered: () => "answered" }, attempt);
  }

  #failed(error: unknown, outcome: Outcome): void {
    if (this.#isOver) return;
    this.#isSent = false;
    if (!(error instanceof HoldfastError)) return this.#giveUp(error);
    if (outcome === "unknown") this.#outcome = "unknown";
    if (!isPassing(error) || this.#calls.isClosed)
      return this.#giveUp(ended(this.#subject, withOutcome(error, this.#outcome)));
    this.#cause = error;
    const waitMs = this.#pauseMs * (0.5 + spread() / 2);
    if (!this.#hasTimeFor(waitMs)) return this.#giveUp(this.#outOfTime());
    this.#pauseMs = Math.min(this.#pauseMs * 2, longestPauseMs);
    void pause(waitMs).then(() => {
      if (this.#isOver) return;
      if (this.#calls.isClosed) this.#giveUp(withOutcome(error, this.#outcome));
      else this.#try(now());
    });
  }

  /** For the pause, and for a reply: a retry that the deadline overtakes turns an outcome of "none" into "unknown". */
  #hasTimeFor(waitMs: number): boolean {
    const at = now();
    const replyMs = this.#outcome === "none" ? Math.min(waitMs + at - this.#sentAt, longestPauseMs) : 0;
    return at + waitMs + replyMs < this.#endsAt;
  }

  /**
   * The last failure with a specific reason explains the error; without one, the error says only that no answer came.
   */
  #late(): void {
    if (this.#isSent) this.#outcome = "unknown";
    this.#giveUp(this.#outOfTime());
  }

  /** A user's own backend may return an unreadable reply. */
  #tell(reply: R): void {
    try {
      this.#listener.resolve(reply);
    } catch (error) {
      this.#listener.reject(error);
    }
  }

  #giveUp(error: unknown): void {
    this.#end();
    this.#endTrace?.(error);
    this.#listener.reject(error);
  }

  #end(): void {
    this.#isOver = true;
    this.#calls.deadlines.clear(this.#deadline);
    this.#onOver();
  }

  #outOfTime(): UnavailableError {
    const { operationMs, backend } = this.#calls;
    const cause = this.#cause ?? noAnswer(backend.name, this.#isSent);
    return outOfTime({ subject: this.#subject, operationMs, outcome: this.#outcome, cause });
  }
}

/** Failures that may pass by themselves: the server is away, busy, or a replica that becomes the primary. */
function isPassing(error: HoldfastError): boolean {
  return error instanceof UnavailableError && !error.lasting;
}
