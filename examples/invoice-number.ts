/** A function that keeps state: prints the next three invoice numbers. They continue from the last run, without gaps. */
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
