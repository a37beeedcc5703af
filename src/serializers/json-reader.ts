/**
 * Reads JSON without the shortcuts of `JSON.parse`.
 *
 * V8 from 13 on (Node 24 and 26) may take a key for another one that it has seen before: after `{"a":1,"\\":2}`, it
 * reads `{"a":1,"\n":2}` as `{"a":1,"\\":2}` (https://github.com/nodejs/node/issues/63785). It compares a key's source
 * with keys of other objects, and takes no account of escapes. So the wrong key always has a backslash in it, and
 * `json.ts` calls this when it meets one. It is slow, and only for what `JSON.parse` has accepted: it checks no syntax.
 */
export function parseByHand(text: string): unknown {
  return new Reader(text).value();
}

const scalar = /[^\s,\]}]+/y;

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(): unknown {
    switch (this.#next()) {
      case "{":
        return this.#object();
      case "[":
        return this.#array();
      case '"':
        return this.#string();
      default:
        return this.#scalar();
    }
  }

  #object(): object {
    const object = {};
    this.#at += 1;
    while (this.#next() !== "}") {
      const key = this.#string();
      this.#skip(":");
      // By definition, not by assignment: __proto__ must become a key, for the check that refuses it.
      const value = this.value();
      Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
      this.#skip(",");
    }
    this.#at += 1;
    return object;
  }

  #array(): unknown[] {
    const array: unknown[] = [];
    this.#at += 1;
    while (this.#next() !== "]") {
      array.push(this.value());
      this.#skip(",");
    }
    this.#at += 1;
    return array;
  }

  /** A bare string is not an object with keys: JSON.parse reads it correctly. */
  #string(): string {
    const start = this.#at;
    do this.#at = this.#text.indexOf('"', this.#at + 1);
    while (this.#isEscaped());
    this.#at += 1;
    return JSON.parse(this.#text.slice(start, this.#at)) as string;
  }

  /** Are there an odd number of backslashes before? */
  #isEscaped(): boolean {
    let start = this.#at;
    while (this.#text[start - 1] === "\\") start -= 1;
    return (this.#at - start) % 2 === 1;
  }

  #scalar(): unknown {
    scalar.lastIndex = this.#at;
    const [token] = scalar.exec(this.#text) ?? [""];
    this.#at += token.length;
    return JSON.parse(token);
  }

  /** The next character that is not white space, which it does not pass. */
  #next(): string | undefined {
    while (" \t\r\n".includes(this.#text[this.#at] ?? "end")) this.#at += 1;
    return this.#text[this.#at];
  }

  #skip(separator: string): void {
    if (this.#next() === separator) this.#at += 1;
  }
}
