/**
 * The machine that a pickle is a program for: a stack, marks on it, and a memo. It has no instruction that runs code.
 *
 * Whatever it keeps is counted against the limits before it is kept, and whatever is copied is counted as well. So time
 * and memory are bounded by the size of the pickle, whatever it says.
 */
import { CorruptStateError } from "../../../errors.ts";
import { KeyIds } from "../key-ids.ts";
import { maxCollisions, maxRepeatedDigits, type Limits } from "../limits.ts";
import { ByteSource } from "./byte-source.ts";
import { DictNode, type DictContext } from "./dict-node.ts";
import { FirstKeys } from "./first-keys.ts";
import { SetFiller } from "./set-filler.ts";

/** How a pickle is read. */
export interface ReadSettings extends Limits {
  /** Whether integral floats become numbers. */
  readonly plainFloats: boolean;
  /** Whether every dict becomes a `Map`. */
  readonly maps: boolean;
}

export class Machine {
  readonly source: ByteSource;
  readonly settings: ReadSettings;
  /** The offset of the current instruction. */
  at = 0;

  readonly #keyIds = new KeyIds((count) => this.#countDigits(count));
  readonly #stack: unknown[] = [];
  readonly #marks: number[] = [];
  /** Indexes as they are assigned by CPython: 0, 1, 2 … */
  readonly #memo: unknown[] = [];
  /** All others: a high index takes no more memory than a low one. By text, since the hash of a number has no secret. */
  readonly #sparseMemo = new Map<string, unknown>();
  #items = 0;
  #containers = 0;
  #copied = 0;
  #comparisons = 0;
  #digits = 0;
  readonly #context: DictContext = {
    newKeys: () => new FirstKeys(this.#keyIds),
    countComparisons: (count) => this.#countComparisons(count),
  };
  readonly #setFiller = new SetFiller(this.#context);

  constructor(bytes: Uint8Array, settings: ReadSettings) {
    this.source = new ByteSource(bytes);
    this.settings = settings;
  }

  /** Throws the error for a pickle that cannot be read; `what` is a clause that goes on from "the pickle". */
  fail(what: string): never {
    throw new CorruptStateError(`the pickle ${what} at byte ${this.at}`);
  }

  push(value: unknown): void {
    this.countItems(1);
    this.#stack.push(value);
  }

  /** Pushes a list, tuple, dict, set or another object. */
  pushContainer(value: object): void {
    this.#containers += 1;
    const { maxContainers } = this.settings;
    if (this.#containers > maxContainers) {
      this.fail(
        `has more than ${maxContainers} lists, tuples, dicts, sets and other objects (maxContainers)`,
      );
    }
    this.push(value);
  }

  pushDict(): DictNode {
    const node = new DictNode(this.#context, this.settings.maps);
    this.pushContainer(node);
    return node;
  }

  /** Adds values to a set, and refuses what Python could not. */
  addAll(set: Set<unknown>, members: readonly unknown[]): void {
    if (!this.#setFiller.addAll(set, members)) this.fail("has a member of a set that Python cannot hash");
  }

  /** Counts values that are kept without being pushed, such as those that are copied from a list. */
  countItems(count: number): void {
    this.#items += count;
    const { maxItems } = this.settings;
    if (this.#items > maxItems) this.fail(`has more than ${maxItems} values (maxItems)`);
  }

  /** Counts bytes that are made from a value that is there already. Python makes each of them once. */
  countCopied(bytes: number): void {
    this.#copied += bytes;
    if (this.#copied > 2 * this.source.length) this.fail("copies more bytes than it has");
  }

  pop(): unknown {
    this.#requireValues(1);
    return this.#stack.pop();
  }

  top(): unknown {
    this.#requireValues(1);
    return this.#stack.at(-1);
  }

  /** The last values, in their order. */
  popSome(count: number): unknown[] {
    this.#requireValues(count);
    return this.#stack.splice(this.#stack.length - count);
  }

  mark(): void {
    this.countItems(1);
    this.#marks.push(this.#stack.length);
  }

  /** What was pushed since the last mark, which is removed. */
  popMarked(): unknown[] {
    const mark = this.#marks.pop();
    if (mark === undefined) this.fail("goes back to a mark that is not there");
    return this.#stack.splice(mark);
  }

  /** Pops a value, or a mark if there is no value above it. */
  drop(): void {
    if (this.#marks.at(-1) === this.#stack.length) this.#marks.pop();
    else this.pop();
  }

  /** The value that the whole pickle is. */
  end(): unknown {
    const value = this.pop();
    if (this.#stack.length > 0 || this.#marks.length > 0) this.fail("ends with values left over");
    const rest = this.source.length - this.source.at;
    if (rest > 0) this.fail(`has ${rest} more bytes after its end`);
    return value;
  }

  remember(index: number): void {
    const value = this.top();
    if (index < this.#memo.length) this.#memo[index] = value;
    else if (index === this.#memo.length && !this.#sparseMemo.has(`m${index}`)) this.#memo.push(value);
    else this.#sparseMemo.set(`m${index}`, value);
    const { maxMemo } = this.settings;
    if (this.#memoSize > maxMemo) this.fail(`keeps more than ${maxMemo} values for later (maxMemo)`);
  }

  rememberNext(): void {
    this.remember(this.#memoSize);
  }

  recall(index: number): void {
    if (index < this.#memo.length) this.pushAgain(this.#memo[index]);
    else if (this.#sparseMemo.has(`m${index}`)) this.pushAgain(this.#sparseMemo.get(`m${index}`));
    else this.fail(`refers to the value ${index}, which it has not`);
  }

  /** A bigint is no object: it would be written out for each time that it is there. */
  pushAgain(value: unknown): void {
    if (typeof value === "bigint") this.#countDigits(value.toString(16).length);
    this.push(value);
  }

  #countComparisons(count: number): void {
    this.#comparisons += count;
    if (this.#comparisons > maxCollisions) this.fail("has too many numbers for keys whose hashes agree");
  }

  #countDigits(count: number): void {
    this.#digits += count;
    if (this.#digits > maxRepeatedDigits + 4 * this.source.length)
      this.fail("uses the same large integers too often");
  }

  get #memoSize(): number {
    return this.#memo.length + this.#sparseMemo.size;
  }

  #requireValues(count: number): void {
    const floor = this.#marks.at(-1) ?? 0;
    if (this.#stack.length - floor < count) this.fail("takes a value from the stack that is not there");
  }
}
