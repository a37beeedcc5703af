/** A backend that passes all its calls to one method, which forwards them to another backend. */
import type {
  AcquireReply,
  Backend,
  CancelReply,
  CommitReply,
  Deadlock,
  Forgotten,
  LoadedState,
  LockEntry,
  Page,
  ReleaseReply,
  SemaphoreEntry,
  SemaphoreReply,
  StateDescription,
  StateCount,
  StateEntry,
  TouchReply,
  UnreadableState,
  Wake,
  WriteReply,
  WriteStatesReply,
} from "./contract.ts";

/** The calls of a backend, each of which returns a promise. */
export type BackendMethod = Exclude<
  keyof Backend,
  "name" | "clientId" | "askAgainMs" | "pushes" | "connect" | "shardOf" | "onWake" | "close"
>;

export type ArgumentsOf<M extends BackendMethod> = Parameters<NonNullable<Backend[M]>>;

/** Makes the call `method(...args)` of `backend`. One that does not push hints has no `watch` and no `unwatch`. */
export function callOf(backend: Backend, method: BackendMethod, args: readonly unknown[]): Promise<never> {
  const calls = backend as unknown as Record<BackendMethod, (...args: readonly unknown[]) => Promise<never>>;
  if (method === "watch" && backend.watch === undefined)
    return Promise.reject(new Error("there are no hints"));
  if (method === "unwatch" && backend.unwatch === undefined) return Promise.resolve(undefined as never);
  return calls[method](...args);
}

export abstract class ForwardingBackend implements Backend {
  abstract readonly name: string;
  abstract readonly clientId: string;
  abstract readonly askAgainMs: number;
  abstract readonly pushes: boolean;
  abstract get connect(): Backend["connect"];
  abstract get awaitReplicas(): Backend["awaitReplicas"];

  /** Only a wrapper of a backend that is made of several has one. */
  get shardOf(): Backend["shardOf"] {
    return undefined;
  }

  protected abstract forward(method: BackendMethod, args: readonly unknown[]): Promise<never>;
  abstract onWake(listener: (wake: Wake) => void): void;
  abstract close(): Promise<void>;

  ready(): Promise<void> {
    return this.forward("ready", []);
  }

  loadState(...args: ArgumentsOf<"loadState">): Promise<LoadedState> {
    return this.forward("loadState", args);
  }

  describeState(...args: ArgumentsOf<"describeState">): Promise<StateDescription | UnreadableState | null> {
    return this.forward("describeState", args);
  }

  writeState(...args: ArgumentsOf<"writeState">): Promise<WriteReply> {
    return this.forward("writeState", args);
  }

  loadStates(...args: ArgumentsOf<"loadStates">): Promise<readonly LoadedState[]> {
    return this.forward("loadStates", args);
  }

  writeStates(...args: ArgumentsOf<"writeStates">): Promise<WriteStatesReply> {
    return this.forward("writeStates", args);
  }

  touchState(...args: ArgumentsOf<"touchState">): Promise<TouchReply> {
    return this.forward("touchState", args);
  }

  listStates(...args: ArgumentsOf<"listStates">): Promise<Page<StateEntry>> {
    return this.forward("listStates", args);
  }

  countStates(...args: ArgumentsOf<"countStates">): Promise<StateCount | null> {
    return this.forward("countStates", args);
  }

  acquireLock(...args: ArgumentsOf<"acquireLock">): Promise<AcquireReply> {
    return this.forward("acquireLock", args);
  }

  renewLocks(...args: ArgumentsOf<"renewLocks">): Promise<readonly ("renewed" | "lost")[]> {
    return this.forward("renewLocks", args);
  }

  releaseLock(...args: ArgumentsOf<"releaseLock">): Promise<ReleaseReply> {
    return this.forward("releaseLock", args);
  }

  commitStates(...args: ArgumentsOf<"commitStates">): Promise<CommitReply> {
    return this.forward("commitStates", args);
  }

  cancelLock(...args: ArgumentsOf<"cancelLock">): Promise<CancelReply> {
    return this.forward("cancelLock", args);
  }

  inspectLock(...args: ArgumentsOf<"inspectLock">): Promise<LockEntry | null> {
    return this.forward("inspectLock", args);
  }

  noteWaits(...args: ArgumentsOf<"noteWaits">): Promise<readonly (Deadlock | null)[]> {
    return this.forward("noteWaits", args);
  }

  changeSemaphore(...args: ArgumentsOf<"changeSemaphore">): Promise<SemaphoreReply | Forgotten> {
    return this.forward("changeSemaphore", args);
  }

  inspectSemaphore(...args: ArgumentsOf<"inspectSemaphore">): Promise<SemaphoreEntry | null> {
    return this.forward("inspectSemaphore", args);
  }

  listLocks(...args: ArgumentsOf<"listLocks">): Promise<Page<LockEntry>> {
    return this.forward("listLocks", args);
  }

  watch(...args: ArgumentsOf<"watch">): Promise<void> {
    return this.forward("watch", args);
  }

  unwatch(...args: ArgumentsOf<"unwatch">): Promise<void> {
    return this.forward("unwatch", args);
  }
}
