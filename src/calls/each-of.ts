/** Calls for many entries, some at a time. */

/** Enough to keep a server busy, few enough to need little memory: each may be about a state of `maxStateBytes`. */
const atATime = 16;

/** Calls `fn` for each entry. Rejects with the first error, once the calls that are under way have ended. */
export async function forEachOf<Entry>(
  entries: AsyncIterable<Entry> | Iterable<Entry>,
  fn: (entry: Entry) => Promise<void>,
): Promise<void> {
  const iterator =
    Symbol.asyncIterator in entries ? entries[Symbol.asyncIterator]() : entries[Symbol.iterator]();
  let isOver = false;
  const work = async (): Promise<void> => {
    while (!isOver) {
      const next = await iterator.next();
      if (next.done === true) return;
      await fn(next.value);
    }
  };
  const workers = Array.from({ length: atATime }, () =>
    work().catch((error: unknown) => {
      isOver = true;
      throw error;
    }),
  );
  const ended = await Promise.allSettled(workers);
  const failed = ended.find((one) => one.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}
