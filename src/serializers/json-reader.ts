/**
 * Reads JSON without the shortcuts of `JSON.parse`.
 *
 * V8 since version 13 (Node 24 and 26) may confuse a key with another one that it has seen before: after
 * `{"a":1,"\\":2}`, it reads `{"a":1,"\n":2}` as `{"a":1,"\\":2}` (https://github.com/nodejs/node/issues/63785). It
 * compares the source text of a key with the keys of other objects, and ignores escapes. So the wrong key always
 * contains a backslash, and `json.ts` calls this function if it meets one. It is slow, and only for text that
 * `JSON.parse` has accepted: it does not check the syntax.
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
      // By definition, not by assignment: __proto__ must become a key, so that the check refuses it.
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

  /** A string alone is not an object with keys: JSON.parse reads it correctly. */
  #string(): string {
    const start = this.#at;
    do this.#at = this.#text.indexOf('"', this.#at + 1);
    while (this.#isEscaped());
    this.#at += 1;
    return JSON.parse(this.#text.slice(start, this.#at)) as string;
  }

  /** Whether an odd number of backslashes precedes. */
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

  /** Returns the next character that is not white space, without consuming it. */
  #next(): string | undefined {
    while (" \t\r\n".includes(this.#text[this.#at] ?? "end")) this.#at += 1;
    return this.#text[this.#at];
  }

  #skip(separator: string): void {
    if (this.#next() === separator) this.#at += 1;
  }
}
