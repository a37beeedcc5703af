// A process that saves many states again and again, until it is killed; it tells which round has been acknowledged.

import { open } from "../../../../src/index.ts";

const [url = "", count = "0"] = process.argv.slice(2);
const store = open(url);

for (let round = 1; ; round += 1) {
  const value = { round, text: `${String(round)} `.repeat(30) };
  const entries = Array.from({ length: Number(count) }, (_, n) => ({ id: `state:${String(n)}`, value }));
  const results = await store.saveMany(entries);
  const failed = results.find(({ error }) => error !== undefined);
  if (failed?.error !== undefined) throw failed.error;
  process.stdout.write(`${JSON.stringify({ round })}\n`);
}
