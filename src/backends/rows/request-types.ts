/**
 * The requests that are decided over rows: the contract's calls as data, the reply to each, and a decision.
 */
import type {
  AcquireReply,
  AcquireRequest,
  CancelReply,
  CommitEntry,
  CommitReply,
  Deadlock,
  Forgotten,
  LoadedState,
  LockEntry,
  NoteOrder,
  Receipt,
  ReleaseReply,
  ReleaseRequest,
  RenewEntry,
  SemaphoreChange,
  SemaphoreEntry,
  SemaphoreReply,
  StateDescription,
  StateWrite,
  Ticket,
  TouchReply,
  TouchWrite,
  Waiting,
  WaitNote,
  Wake,
  WriteEntry,
  WriteReply,
  WriteStatesReply,
} from "../contract.ts";
import type { Attempt } from "../retry-proofs.ts";
import type { Change } from "./row-types.ts";

interface Calls {
  /** Only reads. */
  load: { request: { readonly id: string; readonly expiry: boolean }; reply: LoadedState };
  /** Only reads. */
  loadMany: { request: { readonly ids: readonly string[] }; reply: readonly LoadedState[] };
  writeMany: { request: Once & { readonly entries: readonly WriteEntry[] }; reply: WriteStatesReply };
  write: {
    request: Once & { readonly id: string; readonly write: StateWrite; readonly ticket: Ticket | null };
    reply: WriteReply;
  };
  /** Only reads. */
  describe: { request: { readonly id: string }; reply: StateDescription | null };
  touch: {
    request: Once & { readonly id: string; readonly touch: Omit<TouchWrite, "kind"> };
    reply: TouchReply;
  };
  /** `receipt`: the receipt of its first release. */
  acquire: {
    request: ByTicket & { readonly ask: AcquireRequest; readonly receipt: Receipt };
    reply: AcquireReply;
  };
  /** Only reads: the repeated reply to a waiting ticket; `undefined` if its ask must be carried out. */
  peek: { request: ByTicket & { readonly receipt: Receipt }; reply: Waiting | undefined };
  renew: { request: { readonly entries: readonly RenewEntry[] }; reply: ("renewed" | "lost")[] };
  release: { request: Once & ByTicket & Release; reply: ReleaseReply };
  commit: { request: Once & { readonly entries: readonly CommitEntry[] }; reply: CommitReply };
  cancel: { request: Once & ByTicket; reply: CancelReply };
  noteWaits: {
    request: NoteOrder & { readonly client: string; readonly notes: readonly WaitNote[] };
    reply: readonly (Deadlock | null)[];
  };
  /** Only reads. */
  inspect: { request: { readonly id: string }; reply: LockEntry | null };
  semaphore: {
    request: Once & { readonly id: string; readonly change: SemaphoreChange };
    reply: SemaphoreReply | Forgotten;
  };
  /** Only reads. */
  inspectSemaphore: { request: { readonly id: string }; reply: SemaphoreEntry | null };
}

/** An operation that takes effect once [S5]. */
export interface Once {
  readonly receipt: Receipt;
  readonly attempt: Attempt;
}

interface ByTicket {
  readonly id: string;
  readonly ticket: Ticket;
}

interface Release {
  readonly release: ReleaseRequest;
  /** `write` and `keep` were left out for lack of memory; the reply says so. */
  readonly failed?: "OUT_OF_MEMORY" | undefined;
}

export type Kind = keyof Calls;

/** The kinds of request that take effect once. */
export type OnceKind = { [P in Kind]: Calls[P]["request"] extends Once ? P : never }[Kind];

/** The union of all requests, or of those of one kind. */
export type RowRequest<K extends Kind = Kind> = {
  [P in K]: { readonly kind: P } & Calls[P]["request"];
}[K];

export type ReplyTo<K extends Kind> = Calls[K]["reply"];

export type TicketWake = Exclude<Wake, { kind: "again" | "changed" }>;

export interface Decision<K extends Kind = Kind> {
  readonly reply: ReplyTo<K>;
  readonly changes: readonly Change[];
  /** To send once the changes are made. */
  readonly wakes: readonly TicketWake[];
}
