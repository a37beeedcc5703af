/** What is plain data: objects and arrays without a class of their own, of this realm or another (`node:vm`). */

/** The name of its class, if it has one. */
export function constructorName(value: object): string | undefined {
  if (!("constructor" in value) || typeof value.constructor !== "function") return undefined;
  return value.constructor.name === "" ? undefined : value.constructor.name;
}

/** Also one without a prototype. */
export function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || isRootPrototype(prototype);
}

/** An array of this realm or another (`node:vm`): in both, `Array.prototype` is an array directly below the root. */
export function isPlainArray(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return Array.isArray(prototype) && isRootPrototype(Object.getPrototypeOf(prototype));
}

/** `Object.prototype`, of this realm or another: it has no prototype, and it has what only that object has. */
function isRootPrototype(prototype: unknown): boolean {
  if (prototype === Object.prototype) return true;
  if (typeof prototype !== "object" || prototype === null || Object.getPrototypeOf(prototype) !== null)
    return false;
  return Object.hasOwn(prototype, "hasOwnProperty") && constructorName(prototype) === "Object";
}
