/** Where something is in a value, for messages: `$.items[3].price`. */

const keyLength = 40;
const keysShown = 12;
const identifier = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

/** A property, an index, or a text that stands for itself, such as ` key 3`. */
export type PathKey = PropertyKey | { readonly text: string };

/** `$.items[3].price`; both ends of a long path. */
export function formatPath(keys: readonly PathKey[]): string {
  if (keys.length <= keysShown) return `$${keys.map(formatKey).join("")}`;
  const half = keysShown / 2;
  return `${formatPath(keys.slice(0, half))} … ${keys.slice(-half).map(formatKey).join("")}`;
}

function formatKey(key: PathKey): string {
  if (typeof key === "object") return key.text;
  if (typeof key === "number") return `[${key}]`;
  if (typeof key === "symbol") return `[${shorten(String(key))}]`;
  return identifier.test(key) && key.length <= keyLength ? `.${key}` : `[${JSON.stringify(shorten(key))}]`;
}

/** At most 40 characters. */
export function shorten(text: string): string {
  return text.length <= keyLength ? text : `${text.slice(0, keyLength - 1)}…`;
}
