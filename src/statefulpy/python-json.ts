/**
 * Python's JSON as a serializer: what `json.dumps` writes is read, and what is read is written back as the same.
 *
 * Whole numbers beyond 2⁵³ are bigints. A float with such a value stays a float, since it is written with a point or an
 * exponent. A smaller float without a fraction is not kept apart: `1.0` comes back as `1`, which is equal in Python.
 * `NaN` and `Infinity`, which are not JSON, are read as an option and never written.
 */
import { SerializationError } from "../errors.ts";
import { show } from "../options.ts";
import type { Serializer } from "../serializers/serializer.ts";
import { isTooLong, maxDepth, readPythonJson, tooLong } from "./python-json-reader.ts";

export interface PythonJsonOptions {
  /** Reads `NaN`, `Infinity` and `-Infinity`. Default: they are refused, with an error that names this option. */
  readonly allowNaN?: boolean | undefined;
}

/** The largest string of a Redis. */
const maxCharacters = 512 * 1024 * 1024;
/** Those of the pickle serializer. A shared part is written at each of its places: with 40 levels of them, endlessly. */
const maxValues = 10_000_000;
const maxContainers = 1_000_000;
const shared = ", a shared one counted at each of its places";

/** The serializer for states of `serializer: "json"`. */
export function pythonJson({ allowNaN = false }: PythonJsonOptions = {}): Serializer {
  return {
    name: "python-json",
    serialize: (value) => Buffer.from(new Writer().write(value), "latin1"),
    deserialize: (bytes) => readPythonJson(bytes, allowNaN),
    isolated: true,
  };
}

class Writer {
  readonly #parts: string[] = [];
  #characters = 0;
  #values = 0;
  #containers = 0;

  /** In ASCII, with the separators of `json.dumps`. */
  write(value: unknown): string {
    this.#value(value, "$", 1);
    return this.#parts.join("");
  }

  #value(value: unknown, path: string, depth: number): void {
    if ((this.#values += 1) > maxValues) throw refused("$", `has more than ${maxValues} values${shared}`);
    if (value === null) return this.#add("null");
    switch (typeof value) {
      case "string":
        return this.#add(quote(value));
      case "boolean":
        return this.#add(String(value));
      case "bigint":
        return this.#add(digits(value, path));
      case "number":
        return this.#add(number(value, path));
      case "object":
        if (depth > maxDepth) throw refused(path, `is nested deeper than ${maxDepth}, or contains itself`);
        if ((this.#containers += 1) > maxContainers)
          throw refused("$", `has more than ${maxContainers} lists and objects${shared}`);
        return Array.isArray(value) ? this.#array(value, path, depth) : this.#object(value, path, depth);
      default:
        throw refused(path, `is ${value === undefined ? "undefined" : show(value)}`);
    }
  }

  #array(array: readonly unknown[], path: string, depth: number): void {
    this.#add("[");
    for (let index = 0; index < array.length; index += 1) {
      if (index > 0) this.#add(", ");
      this.#value(array[index], `${path}[${index}]`, depth + 1);
    }
    this.#add("]");
  }

  #object(object: object, path: string, depth: number): void {
    const prototype: unknown = Object.getPrototypeOf(object);
    if (prototype !== Object.prototype && prototype !== null)
      throw refused(path, `is not a plain object but a ${className(object)}`);
    if (Object.getOwnPropertySymbols(object).length > 0) throw refused(path, "has a symbol as a key");
    let separator = "{";
    for (const [key, value] of Object.entries(object)) {
      if (value === undefined) continue; // like JSON.stringify
      if (key === "__proto__") throw refused(path, 'has the key "__proto__"');
      this.#add(`${separator}${quote(key)}: `);
      this.#value(value, `${path}.${key}`, depth + 1);
      separator = ", ";
    }
    this.#add(separator === "{" ? "{}" : "}");
  }

  #add(text: string): void {
    this.#characters += text.length;
    if (this.#characters > maxCharacters) throw refused("$", "takes more than 512 MiB");
    this.#parts.push(text);
  }
}

/** What would not be read again is not written. */
function digits(value: bigint, path: string): string {
  const text = value.toString();
  if (isTooLong(text)) throw refused(path, `is ${tooLong}`);
  return text;
}

/** A float stays one where Python would otherwise read it as an int. */
function number(value: number, path: string): string {
  if (!Number.isFinite(value)) throw refused(path, `is ${String(value)}, which is not JSON`);
  if (Object.is(value, -0)) return "-0.0";
  const text = String(value);
  return Number.isInteger(value) && !Number.isSafeInteger(value) && !text.includes("e") ? `${text}.0` : text;
}

function quote(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function className(object: object): string {
  const { constructor } = object as { readonly constructor?: unknown };
  return typeof constructor === "function" ? constructor.name : "class of its own";
}

function refused(path: string, what: string): SerializationError {
  return new SerializationError(
    `Python's JSON cannot keep this value: ${path} ${what}. Store null, booleans, finite numbers, bigints, strings, arrays ` +
      `and plain objects, or use another serializer.`,
  );
}
