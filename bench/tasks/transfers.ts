/** Callers that move something between accounts which they choose by chance. */
import type { Peer } from "../peers/peer.ts";
import { bankOf } from "../peers/transfers.ts";
import { loop, type Drained, type LoopArgs, type Tell } from "./loop.ts";

/** The one account gives four, the other gets five: so the sum of all is how many transfers there were. */
export function transfer(
  peer: Peer,
  args: LoopArgs & { readonly name: string; readonly accounts: number },
  tell: Tell,
): Promise<Drained> {
  const bank = bankOf(peer);
  const { accounts } = args;
  const below = (limit: number): number => Math.floor(Math.random() * limit);
  return loop(
    args,
    async () => {
      const from = below(accounts);
      const to = (from + 1 + below(accounts - 1)) % accounts;
      await bank.changeTwo([accountId(args.name, from), accountId(args.name, to)], (a, b) => {
        a.n -= 4;
        b.n += 5;
      });
      return 0;
    },
    tell,
  );
}

export function accountId(name: string, account: number): string {
  return `{${name}}:${account}`;
}
