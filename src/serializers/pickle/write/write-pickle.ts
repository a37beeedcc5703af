/**
 * Writes a pickle of protocol 4, which Python 3.4 and later read, from the graph that `survey.ts` has made.
 *
 * Without recursion. An object is written where it occurs first, and comes from the memo after that, so that what was one
 * object is one again. Lists and dicts of `cycles.ts` are filled at the end.
 */
import { opcode } from "../opcodes.ts";
import { PyFloat } from "../python/collections.ts";
import { PyTimeZone } from "../python/spans.ts";
import { writeAtom } from "./atoms.ts";
import { findDeferred } from "./cycles.ts";
import type { Graph, Kind, Node } from "./graph.ts";
import { OpcodeWriter } from "./opcode-writer.ts";
import { survey, type WriteSettings } from "./survey.ts";

interface Frame {
  readonly node: Node;
  /** The next child, and where the batch of children ends that was begun. */
  next: number;
  end: number;
  /** Whether the batch has a mark below it. */
  isMarked: boolean;
  /** Whether nothing above refers to it: it was fetched only to be filled. */
  readonly isFetched: boolean;
}

interface Filled {
  readonly empty: number;
  readonly one: number;
  readonly many: number;
  /** How many children `one` takes. */
  readonly single: number;
  /** How many children are added at once, at most: Python's stack holds as many. CPython does the same. */
  readonly batch: number;
}

const { EMPTY_LIST, EMPTY_DICT, EMPTY_SET, APPEND, APPENDS, SETITEM, SETITEMS, ADDITEMS } = opcode;

/** Kinds that are made empty, and then filled. */
const filled: Readonly<Partial<Record<Kind, Filled>>> = {
  list: { empty: EMPTY_LIST, one: APPEND, many: APPENDS, single: 1, batch: 1000 },
  dict: { empty: EMPTY_DICT, one: SETITEM, many: SETITEMS, single: 2, batch: 2000 },
  set: { empty: EMPTY_SET, one: ADDITEMS, many: ADDITEMS, single: 0, batch: 1000 },
};
const tuples = [opcode.EMPTY_TUPLE, opcode.TUPLE1, opcode.TUPLE2, opcode.TUPLE3] as const;

/** A pickle that is shorter than this has no frame, as CPython writes it. */
const shortestFrame = 4;

/** Throws SerializationError if the value cannot be kept exactly. */
export function writePickle(value: unknown, settings: WriteSettings): Uint8Array {
  const graph = survey(value, settings);
  const out = new OpcodeWriter(settings);
  new PickleWriter(graph, findDeferred(graph, value), out).write(value);
  return withHeader(out);
}

/** The whole pickle is one frame, so that Python reads it from a file at once. */
function withHeader({ sink }: OpcodeWriter): Uint8Array {
  const header = sink.length < shortestFrame ? 2 : 11;
  const bytes = new Uint8Array(header + sink.length);
  bytes.set([opcode.PROTO, 4]);
  if (header > 2) {
    bytes[2] = opcode.FRAME;
    new DataView(bytes.buffer).setBigUint64(3, BigInt(sink.length), true);
  }
  sink.copyTo(bytes.subarray(header));
  return bytes;
}

class PickleWriter {
  readonly #graph: Graph;
  readonly #deferred: ReadonlySet<Node>;
  readonly #out: OpcodeWriter;
  readonly #frames: Frame[] = [];
  readonly #toFill: Node[] = [];

  constructor(graph: Graph, deferred: ReadonlySet<Node>, out: OpcodeWriter) {
    this.#graph = graph;
    this.#deferred = deferred;
    this.#out = out;
  }

  write(root: unknown): void {
    this.#value(root);
    this.#drain();
    for (const node of this.#toFill) {
      // which may find more to fill
      this.#out.recall(node.value);
      this.#frames.push({ node, next: 0, end: 0, isMarked: false, isFetched: true });
      this.#drain();
    }
    this.#out.op(opcode.STOP);
  }

  #drain(): void {
    for (let frame = this.#frames.at(-1); frame !== undefined; frame = this.#frames.at(-1)) this.#step(frame);
  }

  #step(frame: Frame): void {
    const { node } = frame;
    if (frame.next === frame.end) {
      if (frame.next > 0) this.#closeBatch(frame);
      if (frame.next === node.children.length) return this.#finish(frame);
      this.#openBatch(frame);
    }
    this.#value(node.children[frame.next++]);
  }

  #value(value: unknown): void {
    const out = this.#out;
    switch (typeof value) {
      case "string":
        return this.#text(value);
      case "number":
        return Number.isSafeInteger(value) && !Object.is(value, -0) ? out.integer(value) : out.float(value);
      case "bigint":
        return out.bigint(value);
      case "boolean":
        return out.op(value ? opcode.NEWTRUE : opcode.NEWFALSE);
      default:
        return value === null ? out.op(opcode.NONE) : this.#object(value);
    }
  }

  #text(text: string): void {
    const uses = this.#graph.texts.get(text) ?? 0;
    if (uses > 1 && this.#out.recall(text)) return;
    this.#out.text(text);
    if (uses > 1) this.#out.memoize(text);
  }

  #object(value: unknown): void {
    if (value instanceof PyFloat) return this.#out.float(value.value);
    const node = this.#graph.nodes.get(value);
    if (node === undefined) throw new TypeError("an object was not surveyed"); // cannot be: the graph is closed
    if (this.#out.recall(value)) return;
    if (node.kind === "atom") {
      writeAtom(this.#out, node.value);
      if (!(value instanceof PyTimeZone)) this.#keep(node); // zones are kept by their value
      return;
    }
    this.#begin(node);
  }

  #begin(node: Node): void {
    const how = filled[node.kind];
    if (how !== undefined) {
      this.#out.object(how.empty);
      this.#keep(node);
      if (this.#deferred.has(node)) {
        this.#toFill.push(node);
        return;
      }
    }
    this.#frames.push({ node, next: 0, end: 0, isMarked: false, isFetched: false });
  }

  #openBatch(frame: Frame): void {
    const { kind, children } = frame.node;
    const how = filled[kind];
    frame.end = Math.min(children.length, frame.next + (how?.batch ?? Infinity));
    const size = frame.end - frame.next;
    frame.isMarked = how === undefined ? kind !== "tuple" || size >= tuples.length : size !== how.single;
    if (frame.isMarked) this.#out.op(opcode.MARK);
  }

  #closeBatch({ node, isMarked }: Frame): void {
    const how = filled[node.kind];
    if (how !== undefined) this.#out.op(isMarked ? how.many : how.one);
  }

  #finish(frame: Frame): void {
    this.#frames.pop();
    const { node, isFetched } = frame;
    if (isFetched) this.#out.op(opcode.POP);
    if (filled[node.kind] !== undefined) return;
    const { length } = node.children;
    if (node.kind === "tuple") this.#out.object(tuples[length] ?? opcode.TUPLE);
    else {
      if (length === 0) this.#out.op(opcode.MARK);
      this.#out.object(opcode.FROZENSET);
    }
    this.#keep(node);
  }

  /** In the memo, if it is needed again. */
  #keep(node: Node): void {
    if (node.uses > 1 || this.#deferred.has(node)) this.#out.memoize(node.value);
  }
}
