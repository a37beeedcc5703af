/**
 * `stateful(fn, { backend })`: a function with a memory, as the decorator of the Python library makes it.
 *
 * Each call owns the lock of the function's id while it runs. Calls of the same id inside of it, however they are nested,
 * share its state and its lock. Calls that are not inside of each other take turns.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { fromCaller, withCallersStack } from "../caller-stacks.ts";
import { CorruptStateError, HoldfastError, InvalidArgumentError, LockLostError, quoted } from "../errors.ts";
import { parseOptions, show, type Parser } from "../options.ts";
import { findCore, type Core } from "./core.ts";
import { scopesHere, type OwnerScope } from "./locking/owner.ts";
import { inTurn } from "./locking/turns.ts";
import { parseId } from "./options.ts";
import { decode, encode } from "./serializers.ts";
import type { StateBackend } from "./state-backend.ts";

/** Options of `stateful()`. */
export interface StatefulOptions {
  /** Where the state and its lock are kept. */
  backend: StateBackend;
  /** Of the state and its lock. Default: the function's name. In Python it is `"module.function"`. */
  id?: string | undefined;
}

/** What `stateful()` returns. */
export interface StatefulFunction<S extends object, A extends unknown[], R> {
  (...args: A): Promise<Awaited<R>>;
  /**
   * During a call: its state, which may be changed and replaced, and is saved when the call ends. Otherwise a frozen copy of
   * what this process last loaded or saved; `{}` before the first call.
   */
  state: S;
}

/** Like the Python library. */
const waitMs = 10_000;

/** The state of a call, and of the calls inside of it. */
interface Box {
  readonly owner: OwnerScope;
  value: object;
  /** Until the outermost call has ended. */
  isOpen: boolean;
}

interface Call {
  readonly core: Core;
  readonly id: string;
  readonly box: Box;
  readonly up: Call | undefined;
}

const calls = new AsyncLocalStorage<Call>();

/**
 * Returns a function with a memory. A call acquires the lock of its id (for 10 s at most), loads the state (`{}` if there is
 * none), runs `fn`, saves the state unless `fn` threw, releases, and returns what `fn` returned.
 *
 * @param fn Uses `wrapper.state`, where `wrapper` is the function that is returned.
 * @param options `backend`; `id`: of the state and its lock; default: the name of `fn`.
 * @throws InvalidArgumentError for a function without a name and without `id`. Its calls reject with LockTimeoutError if
 * they do not get the lock, and `fn` is not called then; with LockLostError, which has `result`, if the lock was lost while
 * `fn` ran, and nothing is saved then; and with the errors of `loadState()` and `saveState()`.
 * @example
 * ```ts
 * const visit: StatefulFunction<{ count?: number }, [page: string], number> = stateful(
 *   (page) => (visit.state.count = (visit.state.count ?? 0) + 1),
 *   { backend, id: "site.visit" },
 * );
 * console.log(await visit("/"), visit.state.count);
 * ```
 */
export function stateful<S extends object = Record<string, unknown>, A extends unknown[] = [], R = unknown>(
  fn: (...args: A) => R,
  options: StatefulOptions,
): StatefulFunction<S, A, R> {
  if (typeof fn !== "function")
    throw new InvalidArgumentError(`stateful() takes a function; got ${show(fn)}.`);
  const { core, id } = parseStateful(fn, options);
  const memory = new Memory(core, id);
  const call = (...args: A): Promise<Awaited<R>> =>
    withCallersStack(() => {
      core.refuseClosed();
      return memory.run<Awaited<R>>(async (): Promise<Awaited<R>> => await fn(...args));
    });
  Object.defineProperty(call, "name", { value: fn.name, configurable: true });
  return Object.defineProperty(call, "state", {
    get: () => memory.state,
    set: (state: unknown) => memory.replace(state),
    enumerable: true,
  }) as StatefulFunction<S, A, R>;
}

function parseStateful(fn: { readonly name: string }, options: unknown): { core: Core; id: string } {
  const backend: Parser<StateBackend> = (value) => value as StateBackend;
  const parsed = parseOptions<Partial<StatefulOptions>>("stateful()", options, { backend, id: parseId });
  const core = findCore(parsed.backend);
  if (core === undefined)
    throw new InvalidArgumentError(
      `backend must be a RedisBackend or a SqliteBackend of holdfast/statefulpy; got ${show(parsed.backend)}.`,
    );
  if (parsed.id === undefined && fn.name === "")
    throw new InvalidArgumentError("stateful() needs an id for a function without a name: pass { id }.");
  return { core, id: parsed.id ?? parseId(fn.name) };
}

class Memory {
  readonly #core: Core;
  readonly #id: string;
  /** What this process last loaded or saved; `null`: nothing. */
  #bytes: Uint8Array | null = null;
  #copy: object | undefined;

  constructor(core: Core, id: string) {
    this.#core = core;
    this.#id = id;
  }

  get state(): object {
    return this.#around()?.box.value ?? (this.#copy ??= this.#frozenCopy());
  }

  replace(state: unknown): void {
    const call = this.#around();
    if (call === undefined)
      throw new InvalidArgumentError("The state of a stateful function can be replaced only while it runs.");
    if (typeof state !== "object" || state === null)
      throw new InvalidArgumentError(
        `The state of a stateful function must be an object; got ${show(state)}.`,
      );
    call.box.value = state;
  }

  run<R>(fn: () => Promise<R>): Promise<R> {
    const around = this.#around();
    if (around !== undefined) return this.#again(around, fn);
    const scope = this.#core.ownerOf(undefined);
    // Inside of an owner() that holds the lock already, another owner would wait for it in vain.
    return scope.holds.has(this.#id) && !scope.isAnonymous
      ? this.#first(scope, fn)
      : this.#core.runOwner((owner) => this.#first(owner, fn));
  }

  async #first<R>(owner: OwnerScope, fn: () => Promise<R>): Promise<R> {
    const turn = { id: this.#id, owner, waitMs };
    let isSaved = false;
    const body = async (): Promise<R> => {
      const result = await inTurn(turn, () => this.#whole(owner, fn));
      isSaved = true;
      return result;
    };
    // What is saved stays saved, even if the lock is lost, or the server away, before the release: then the lease ends it.
    return this.#locked(owner, body, (error) => isSaved && error instanceof HoldfastError);
  }

  async #whole<R>(owner: OwnerScope, fn: () => Promise<R>): Promise<R> {
    if (this.#core.locks.tokenFor(this.#id, owner) === undefined)
      throw new InvalidArgumentError(
        `The function of this owner() ended before the call of ${quoted(this.#id)} had its turn: await the call.`,
      );
    const box: Box = { owner, value: await this.#load(), isOpen: true };
    try {
      const result = await this.#inside(box, fn);
      await this.#save(box, result);
      return result;
    } finally {
      box.isOpen = false;
    }
  }

  /** What it changes is saved by the outermost call, unless that has ended first. */
  #again<R>({ box }: Call, fn: () => Promise<R>): Promise<R> {
    return this.#locked(box.owner, async () => {
      const result = await box.owner.run(() => this.#inside(box, fn));
      if (box.isOpen) return result;
      throw new LockLostError(
        `The call of ${quoted(this.#id)} around this one ended first, and what this one changed later was not saved: ` +
          `await the calls that the function makes.`,
        { result },
      );
    });
  }

  /** The error of `body` counts more than that of the release, which may not matter. */
  async #locked<R>(
    owner: OwnerScope,
    body: () => Promise<R>,
    isNoMatter: (error: unknown) => boolean = () => false,
  ): Promise<R> {
    const [id, { locks }] = [this.#id, this.#core];
    await locks.acquire({ id, owner, waitMs, signal: undefined, isInside: scopesHere() });
    let result: R;
    try {
      result = await body();
    } catch (error) {
      await locks.release(id, owner).catch(() => undefined);
      throw error;
    }
    await locks.release(id, owner).catch((error: unknown) => {
      if (!isNoMatter(error)) throw error;
    });
    return result;
  }

  #inside<R>(box: Box, fn: () => Promise<R>): Promise<R> {
    const call = { core: this.#core, id: this.#id, box, up: openOnly(calls.getStore()) };
    return calls.run(call, async () => {
      try {
        return await fn();
      } catch (error) {
        throw fromCaller(error);
      }
    });
  }

  async #load(): Promise<object> {
    const bytes = await this.#core.loadBytes(this.#id);
    this.#remember(bytes);
    if (bytes === null) return {};
    const value = decode(this.#core.serializer, this.#id, bytes);
    if (typeof value === "object" && value !== null) return value;
    throw new CorruptStateError(
      `The state ${quoted(this.#id)} is ${show(value)}, not an object, which the state of a function is. It was left as it is.`,
      { id: this.#id },
    );
  }

  async #save(box: Box, result: unknown): Promise<void> {
    const bytes = encode(this.#core.serializer, this.#id, box.value);
    try {
      await this.#core.saveBytes(this.#id, bytes, box.owner);
    } catch (error) {
      if (!(error instanceof LockLostError)) throw error;
      throw new LockLostError(error.message, { outcome: error.outcome, cause: error, result });
    }
    this.#remember(bytes);
  }

  #remember(bytes: Uint8Array | null): void {
    this.#bytes = bytes;
    this.#copy = undefined;
  }

  #frozenCopy(): object {
    if (this.#bytes === null) return Object.freeze({});
    return deepFreeze(decode(this.#core.serializer, this.#id, this.#bytes) as object);
  }

  /** The innermost running call of this id around the running code. */
  #around(): Call | undefined {
    for (let call = calls.getStore(); call !== undefined; call = call.up)
      if (call.core === this.#core && call.id === this.#id && call.box.isOpen) return call;
    return undefined;
  }
}

/** Without the calls that have ended: a function that starts its own next call must not keep them all. */
function openOnly(call: Call | undefined): Call | undefined {
  let found = call;
  while (found?.box.isOpen === false) found = found.up;
  return found;
}

/** Maps, sets and bytes cannot be frozen; what is in them is. */
function deepFreeze(root: object): object {
  const found = new Set<object>(); // a pickled state may contain itself
  const find = (value: unknown): void => {
    if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value)) found.add(value);
  };
  find(root);
  for (const value of found) {
    if (value instanceof Map) for (const entry of value as Map<unknown, unknown>) entry.forEach(find);
    if (value instanceof Set) for (const item of value) find(item);
    Object.values(value).forEach(find);
  }
  found.forEach((value) => Object.freeze(value));
  return root;
}
