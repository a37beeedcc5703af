/**
 * Reads the JSON that Python's `json.dumps` writes, in linear time and to a limited depth.
 *
 * `JSON.parse` would round whole numbers beyond 2⁵³, and does not know `NaN`. It is used only for text that has none of
 * what it would read differently; everything else is read here, character by character.
 */
import { CorruptStateError } from "../errors.ts";

export const maxDepth = 512;
/** Python neither reads nor writes more digits than this, since reading them takes quadratic time. */
const maxDigits = 4_300;

/** Whether an int in decimal has more digits than are read. The sign is none. */
export function isTooLong(token: string): boolean {
  return token.length - (token.startsWith("-") ? 1 : 0) > maxDigits;
}

/** What is wrong with such an int. */
export const tooLong = `a number of more than ${maxDigits} digits`;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * What `JSON.parse` reads otherwise: long numbers, negative zeros, numbers beyond a double's range, the key `__proto__`,
 * and keys with escapes, which V8 may confuse (see ../serializers/json-reader.ts).
 */
const special = /\d{16}|-0|\d[eE]\+?\d{3}|__proto__|\\|NaN|Infinity/;

/** @throws CorruptStateError for what is not such JSON; for NaN and Infinity, one that names the option. */
export function readPythonJson(bytes: Uint8Array, allowNaN: boolean): unknown {
  const text = decode(bytes);
  if (!special.test(text) && !mayBeDeep(text)) return parse(text);
  return new Reader(text, allowNaN).read();
}

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new CorruptStateError("the stored data is not UTF-8, and so not JSON: was it pickled?", { cause });
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CorruptStateError(
      'the stored data is not JSON: it is damaged, or was written with another serializer (for Python\'s pickle, use serializer: "pickle")',
      { cause },
    );
  }
}

function mayBeDeep(text: string): boolean {
  let found = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if ((code === 0x5b || code === 0x7b) && (found += 1) > maxDepth) return true;
  }
  return false;
}

const numbers = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?/y;
const words = /null|true|false|NaN|-?Infinity/y;
class Reader {
  readonly #text: string;
  readonly #allowNaN: boolean;
  #at = 0;

  constructor(text: string, allowNaN: boolean) {
    this.#text = text;
    this.#allowNaN = allowNaN;
  }

  read(): unknown {
    const value = this.#value(1);
    if (this.#next() !== undefined) throw this.#unexpected();
    return value;
  }

  #value(depth: number): unknown {
    const next = this.#next();
    if (next === '"') return this.#string();
    if (next !== "{" && next !== "[") return this.#scalar();
    if (depth > maxDepth)
      throw new CorruptStateError(`the stored JSON is nested deeper than ${maxDepth} (offset ${this.#at})`);
    this.#at += 1;
    return next === "{" ? this.#object(depth) : this.#array(depth);
  }

  #object(depth: number): object {
    const object: Record<string, unknown> = {};
    if (this.#skip("}")) return object;
    do {
      if (this.#next() !== '"') throw this.#unexpected();
      const key = this.#string();
      if (key === "__proto__")
        throw new CorruptStateError('the stored JSON has the key "__proto__", which JavaScript cannot keep');
      if (!this.#skip(":")) throw this.#unexpected();
      object[key] = this.#value(depth + 1);
    } while (this.#skip(","));
    if (!this.#skip("}")) throw this.#unexpected();
    return object;
  }

  #array(depth: number): unknown[] {
    const array: unknown[] = [];
    if (this.#skip("]")) return array;
    do array.push(this.#value(depth + 1));
    while (this.#skip(","));
    if (!this.#skip("]")) throw this.#unexpected();
    return array;
  }

  /** JSON.parse checks what is between the quotes. */
  #string(): string {
    const start = this.#at;
    let end = start;
    do end = this.#text.indexOf('"', end + 1);
    while (end > 0 && this.#isEscaped(end));
    if (end < 0) throw this.#unexpected();
    this.#at = end + 1;
    try {
      return JSON.parse(this.#text.slice(start, this.#at)) as string;
    } catch {
      throw this.#unexpected();
    }
  }

  /** Whether an odd number of backslashes precedes. */
  #isEscaped(at: number): boolean {
    let first = at;
    while (this.#text[first - 1] === "\\") first -= 1;
    return (at - first) % 2 === 1;
  }

  #scalar(): unknown {
    const start = this.#at;
    const word = this.#match(words);
    if (word === "null") return null;
    if (word === "true" || word === "false") return word === "true";
    if (word !== undefined) return this.#notJson(word, start);
    numbers.lastIndex = this.#at;
    const [token, fraction, exponent] = numbers.exec(this.#text) ?? [];
    if (token === undefined) throw this.#unexpected();
    this.#at += token.length;
    return fraction === undefined && exponent === undefined ? whole(token) : this.#float(token, start);
  }

  #float(token: string, start: number): number {
    const value = Number(token);
    return Number.isFinite(value) ? value : this.#notJson(token, start);
  }

  #notJson(word: string, start: number): number {
    if (this.#allowNaN) return Number(word);
    throw new CorruptStateError(
      `the stored data has ${word.slice(0, 40)} (offset ${start}), which is not JSON, although Python writes it. ` +
        `To read it, pass { allowNaN: true }; it cannot be written back`,
    );
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const token = pattern.exec(this.#text)?.[0];
    if (token !== undefined) this.#at += token.length;
    return token;
  }

  /** The next character that is not white space; it is not consumed. */
  #next(): string | undefined {
    for (;;) {
      const next = this.#text[this.#at];
      if (next !== " " && next !== "\n" && next !== "\t" && next !== "\r") return next;
      this.#at += 1;
    }
  }

  #skip(character: string): boolean {
    if (this.#next() !== character) return false;
    this.#at += 1;
    return true;
  }

  #unexpected(): CorruptStateError {
    return new CorruptStateError(
      `the stored data is not JSON (offset ${this.#at}): it is damaged, or was written with another serializer`,
    );
  }
}

/** An int of Python. "-0" is its 0. */
function whole(token: string): number | bigint {
  const value = Number(token);
  if (Number.isSafeInteger(value)) return value === 0 ? 0 : value;
  if (!isTooLong(token)) return BigInt(token);
  throw new CorruptStateError(`the stored data has ${tooLong}`);
}
