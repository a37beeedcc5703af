/**
 * A backend that is loaded on first use, since `open()` is synchronous, and importing the library loads no client and
 * no SQLite. It adds nothing else: once loaded, it passes on every call.
 */
import type { Backend, IndexAction, IndexReport, Wake } from "./contract.ts";
import type { Check } from "./examination.ts";
import { clause, HoldfastError, InvalidArgumentError, isError } from "../errors.ts";
import { callOf, ForwardingBackend, type BackendMethod } from "./forward.ts";

/** What is known about a backend before it is loaded. */
export interface LazyKind {
  readonly name: string;
  readonly clientId: string;
  readonly askAgainMs: number;
  readonly pushes: boolean;
  /** Whether it can wait for replicas. */
  readonly hasReplicas: boolean;
  /** If it is made of several. */
  readonly shardOf?: Backend["shardOf"];
  readonly load: () => Promise<Backend>;
  /** What `holdfast doctor` asks, without the backend. */
  readonly examine?: () => Promise<readonly Check[]>;
  /** What `holdfast index` does; only if the backend does not keep an order anyway. */
  readonly changeIndex?: (action: IndexAction) => Promise<IndexReport>;
}

export class LazyBackend extends ForwardingBackend {
  readonly name: string;
  readonly clientId: string;
  readonly awaitReplicas: Backend["awaitReplicas"];
  readonly #kind: LazyKind;
  #loading: Promise<Backend> | undefined;
  #loaded: Backend | undefined;
  #listener: ((wake: Wake) => void) | undefined;

  constructor(kind: LazyKind) {
    super();
    this.name = kind.name;
    this.clientId = kind.clientId;
    this.#kind = kind;
    this.awaitReplicas = kind.hasReplicas ? (...args) => this.forward("awaitReplicas", args) : undefined;
  }

  get askAgainMs(): number {
    return this.#loaded?.askAgainMs ?? this.#kind.askAgainMs;
  }

  get pushes(): boolean {
    return this.#loaded?.pushes ?? this.#kind.pushes;
  }

  override get shardOf(): Backend["shardOf"] {
    return this.#kind.shardOf;
  }

  readonly connect = (id?: string): Promise<void> | undefined => {
    if (this.#loaded !== undefined) return this.#loaded.connect?.(id);
    return this.#load().then((backend) => backend.connect?.(id));
  };

  /** Throws UnavailableError if the place of the store cannot be reached. */
  async examine(): Promise<readonly Check[]> {
    return (await this.#kind.examine?.()) ?? [];
  }

  /** `null`: ids are always in order here. Throws LockTimeoutError if a lock is held. */
  async changeIndex(action: IndexAction): Promise<IndexReport | null> {
    return (await this.#kind.changeIndex?.(action)) ?? null;
  }

  onWake(listener: (wake: Wake) => void): void {
    this.#listener = listener;
    this.#loaded?.onWake(listener);
  }

  async close(): Promise<void> {
    const loaded = this.#loaded ?? (await this.#loading?.catch(() => undefined));
    await loaded?.close();
  }

  protected forward(method: BackendMethod, args: readonly unknown[]): Promise<never> {
    if (this.#loaded !== undefined) return callOf(this.#loaded, method, args);
    return this.#load().then((backend) => callOf(backend, method, args));
  }

  /** A load that failed is tried again at the next call: by then, a missing package or directory may be there. */
  #load(): Promise<Backend> {
    this.#loading ??= this.#kind.load().then(
      (backend) => {
        if (this.#listener !== undefined) backend.onWake(this.#listener);
        return (this.#loaded = backend);
      },
      (error: unknown) => {
        this.#loading = undefined;
        throw notLoaded(this.name, error);
      },
    );
    return this.#loading;
  }
}

/** A file of this package, or what it imports, failed to load: no outage, and repeating the call does not help. */
function notLoaded(name: string, cause: unknown): unknown {
  if (cause instanceof HoldfastError) return cause;
  const [reason = ""] = (isError(cause) ? cause.message : String(cause)).split("\n");
  return new InvalidArgumentError(
    `The code for ${name} could not be loaded: ${clause(reason)}. If Holdfast was bundled, deploy every file that the bundler ` +
      `wrote; otherwise, install Holdfast again.`,
    { cause },
  );
}
