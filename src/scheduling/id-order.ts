/** The order in which several locks are acquired, the same in all processes: by the UTF-8 bytes of their ids. */
export function compareIds(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
