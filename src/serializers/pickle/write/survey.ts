/**
 * The first pass of writing: checks a value, and makes the graph of it. Without recursion; each object once.
 *
 * It calls no getter of a plain object, and refuses what a pickle would change or drop, with its path.
 */
import { SerializationError, sentence } from "../../../errors.ts";
import { formatPath } from "../../value-path.ts";
import { KeyIds } from "../key-ids.ts";
import type { Limits } from "../limits.ts";
import type { PyTuple, PyFrozenSet } from "../python/collections.ts";
import {
  accessorComplaint,
  complainOfTextMap,
  complaintOfGap,
  complainOfClass,
  complainOfDate,
  complainOfPrimitive,
  isFloat,
  kindOf,
  type Complaint,
} from "./complaints.ts";
import { shown, stepTo, type Graph, type Kind, type Node } from "./graph.ts";

/** How a value is written. */
export interface WriteSettings extends Limits {
  /** Whether integers beyond 2⁵³ are floats. */
  readonly plainFloats: boolean;
  /** Whether every dict is read as a `Map`. */
  readonly maps: boolean;
}

interface Frame {
  readonly node: Node;
  next: number;
}

/** Shorter texts take no less space in the memo. */
export const shortestText = 4;

/** Throws SerializationError for the first thing that cannot be kept. */
export function survey(root: unknown, settings: WriteSettings): Graph {
  return new Survey(settings).run(root);
}

class Survey {
  readonly #settings: WriteSettings;
  readonly #keyIds = new KeyIds();
  readonly #nodes = new Map<unknown, Node>();
  readonly #texts = new Map<string, number>();
  readonly #frames: Frame[] = [];
  #items = 0;
  #hasTuple = false;
  #hasCycle = false;

  constructor(settings: WriteSettings) {
    this.#settings = settings;
  }

  run(root: unknown): Graph {
    this.#visit(root);
    for (let frame = this.#frames.at(-1); frame !== undefined; frame = this.#frames.at(-1)) {
      if (frame.next < frame.node.children.length) this.#visit(frame.node.children[frame.next++]);
      else this.#leave(frame.node);
    }
    const needsCare = this.#hasTuple && this.#hasCycle;
    return { nodes: this.#nodes, texts: this.#texts, needsCare };
  }

  #visit(value: unknown): void {
    this.#items += 1;
    if (this.#items > this.#settings.maxItems) this.#refuseItems();
    if (typeof value === "string") this.#countText(value);
    else if (typeof value !== "object" || value === null) this.#check(value);
    else if (!isFloat(value)) this.#visitObject(value);
  }

  #countText(text: string): void {
    if (text.length >= shortestText) this.#texts.set(text, (this.#texts.get(text) ?? 0) + 1);
  }

  #check(value: unknown): void {
    const complaint = complainOfPrimitive(value, this.#settings.plainFloats);
    if (complaint !== undefined) this.#refuse(complaint);
  }

  #visitObject(value: object): void {
    const known = this.#nodes.get(value);
    if (known === undefined) return this.#enter(value);
    known.uses += 1;
    this.#hasCycle ||= known.isOpen;
  }

  #enter(value: object): void {
    const kind = kindOf(value);
    const complaint = kind === undefined ? complainOfClass(value) : complainOfDate(value);
    if (complaint !== undefined || kind === undefined) this.#refuse(complaint ?? complainOfClass(value));
    const node: Node = { kind, value, children: this.#childrenOf(value, kind), uses: 1, isOpen: true };
    this.#nodes.set(value, node);
    this.#hasTuple ||= kind === "tuple";
    if (kind === "atom") {
      node.isOpen = false;
      return;
    }
    if (value instanceof Map && !this.#settings.maps) this.#refuseTextMap(node);
    this.#frames.push({ node, next: 0 });
    this.#checkLimits();
  }

  /** It would come back as an object, sooner or later: without methods, for a caller that has not expected it. */
  #refuseTextMap({ children }: Node): void {
    if (keysOf(children).every((key) => typeof key === "string"))
      this.#refuse(complainOfTextMap(children.length > 0));
  }

  #checkLimits(): void {
    const { maxDepth, maxContainers } = this.#settings;
    if (this.#frames.length > maxDepth) {
      this.#refuse([
        `is nested more than ${maxDepth} levels deep (maxDepth)`,
        "Store a flat list of nodes that name their parents",
      ]);
    }
    if (this.#nodes.size > maxContainers) {
      this.#refuse([`is one of more than ${maxContainers} objects (maxContainers)`, splitAdvice]);
    }
  }

  /** Of the closed kinds, only these have keys that Python must be able to tell apart. */
  #leave(node: Node): void {
    this.#frames.pop();
    if (node.value instanceof Map) this.#checkKeys(keysOf(node.children), "a key");
    else if (node.kind === "set" || node.kind === "frozenset") this.#checkKeys(node.children, "a member");
    node.isOpen = false;
  }

  #checkKeys(keys: readonly unknown[], what: string): void {
    const seen = new Map<number, unknown>();
    for (const key of keys) {
      if (typeof key === "string") continue; // equal to nothing else
      const id = this.#keyIds.idOf(key);
      if (id === undefined) {
        this.#refuse([`has ${what} that Python cannot hash, ${shown(key)}`, "Use a PyTuple or PyFrozenSet"]);
      }
      if (seen.has(id)) {
        const [first, second] = [shown(seen.get(id)), shown(key)];
        this.#refuse([
          `has ${what} twice for Python, which holds ${first} and ${second} equal`,
          "Leave one out",
        ]);
      }
      seen.set(id, key);
    }
  }

  #childrenOf(value: object, kind: Kind): readonly unknown[] {
    switch (kind) {
      case "list":
        return this.#itemsOf(value as unknown[]);
      case "dict":
        return value instanceof Map ? [...(value as Map<unknown, unknown>)].flat(1) : this.#entriesOf(value);
      case "set":
        return [...(value as Set<unknown>)];
      case "tuple":
        return [...(value as PyTuple).items];
      case "frozenset":
        return [...(value as PyFrozenSet).members];
      case "atom":
        return [];
    }
  }

  #itemsOf(array: readonly unknown[]): readonly unknown[] {
    const items: unknown[] = [];
    if (array.length > this.#settings.maxItems) this.#refuseItems();
    for (let index = 0; index < array.length; index += 1) {
      const item = array[index]; // also by a getter: a check at each index would take as long as all the rest
      if (item === undefined) this.#refuse(complaintOfGap(array, index), [index]);
      items.push(item);
    }
    if (Object.keys(array).length !== items.length || Object.getOwnPropertySymbols(array).length > 0) {
      this.#refuse(["has named properties besides its items", "Store an object that holds the array"]);
    }
    return items;
  }

  /** As `JSON.stringify` does, it leaves out properties that are undefined or not enumerable. */
  #entriesOf(object: object): readonly unknown[] {
    const entries: unknown[] = [];
    const [symbol] = Object.getOwnPropertySymbols(object);
    if (symbol !== undefined) this.#refuse(["has a symbol for a key", "Use a text for the key"], [symbol]);
    for (const key of Object.keys(object)) {
      const property = Object.getOwnPropertyDescriptor(object, key);
      const isAccessor = property?.get !== undefined || property?.set !== undefined;
      if (isAccessor) this.#refuse(accessorComplaint, [key]);
      if (property?.value !== undefined) entries.push(key, property.value);
    }
    return entries;
  }

  #refuseItems(): never {
    this.#refuse([`is one of more than ${this.#settings.maxItems} values (maxItems)`, splitAdvice]);
  }

  /** About the value that was visited last. */
  #refuse([found, advice]: Complaint, below: readonly PropertyKey[] = []): never {
    const path = this.#frames.filter(({ next }) => next > 0).map(({ node, next }) => stepTo(node, next - 1));
    throw new SerializationError(
      `Pickle cannot keep this value: ${formatPath([...path, ...below])} ${found}. ${sentence(advice)}`,
    );
  }
}

function keysOf(entries: readonly unknown[]): unknown[] {
  return entries.filter((_, index) => index % 2 === 0);
}

const splitAdvice = "Split it into several states, or raise the limit with createPickle";
