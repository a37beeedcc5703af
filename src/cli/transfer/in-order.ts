/** Works on several items at once, within bounds of number and memory, and yields the results in the order of the items. */

/** Items in progress. */
const most = 16;
/** Their bytes together; one item may be larger. */
const mostBytes = 32 * 1024 * 1024;

interface Running<Result> {
  readonly result: Promise<Result>;
  readonly bytes: number;
}

/** If one of them fails, the others are awaited, and its error is thrown. */
export async function* inOrder<Item, Result>(
  items: AsyncIterable<Item>,
  bytesOf: (item: Item) => number,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const running: Running<Result>[] = [];
  let bytes = 0;
  try {
    for await (const item of items) {
      const size = bytesOf(item);
      while (running.length >= most || (running.length > 0 && bytes + size > mostBytes)) {
        const first = running.shift();
        if (first === undefined) break;
        yield await first.result;
        bytes -= first.bytes;
      }
      const result = work(item);
      result.catch(() => undefined); // it is awaited later
      running.push({ result, bytes: size });
      bytes += size;
    }
    for (let first = running.shift(); first !== undefined; first = running.shift()) yield await first.result;
  } finally {
    await Promise.allSettled(running.map(({ result }) => result));
  }
}
