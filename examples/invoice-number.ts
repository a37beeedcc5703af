/** A function with a memory: prints the next three invoice numbers. They go on where the last run ended, and have no gaps. */
import { open } from "holdfast";

const store = open();

const nextNumber = store.stateful(
  "invoice-number",
  () => ({ last: 0 }),
  (state, year: number) => {
    state.last += 1;
    return `${year}-${state.last}`;
  },
);

for (let count = 0; count < 3; count += 1) console.log(await nextNumber(2026));
await store.close();
