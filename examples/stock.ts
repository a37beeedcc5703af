/**
 * A state that many processes change: sells one item, if there is one left. Run it as often as you like, also several
 * times at once: it never sells more items than there are.
 */
import { open } from "holdfast";

const store = open(); // a SQLite file; open("redis://…") for many machines

const stock = store.state("stock:42", { initial: () => ({ left: 500 }) });
const sold = await stock.run((s) => {
  if (s.left === 0) return false;
  s.left -= 1;
  return true;
});

const { left } = await stock.load();
console.log(sold ? `Sold one; ${left} left now.` : "Sold out.");
await store.close();
