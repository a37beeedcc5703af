// Asks for shares, changes of semaphores and inspections, beside what ScriptRunner has.

import * as at from "../script-arguments.ts";
import { type Asked, type Reply, type Told } from "../script-arguments.ts";
import { type ScriptRunner } from "../script-runner.ts";

export class ShareScripts {
  readonly #run: ScriptRunner;

  constructor(run: ScriptRunner) {
    this.#run = run;
  }

  /** `r1` in the wish: shared; `w3`: three permits, of a semaphore with this limit. */
  ask(ticket: string, asked: Asked & { readonly limit?: number | "-" } = {}): Promise<Reply> {
    const { leaseMs = 30_000, fences = 1, wish = "r1", seen = 0, slot = at.slotOf(ticket), n = 1 } = asked;
    const terms = [String(leaseMs), fences, wish, String(asked.limit ?? "")];
    return this.#run.one("acquireShare", {
      id: asked.id,
      ticket,
      common: [String(seen)],
      own: [String(slot), n],
      terms,
    });
  }

  /** Without a limit: deletes it. */
  semaphore(
    by: string,
    told: Told & { readonly limit?: number; readonly created?: number } = {},
  ): Promise<Reply> {
    const args = [...at.receipt(by, told), String(told.limit ?? ""), String(told.created ?? "")];
    return this.#run.run("semaphore", at.keysOf(by, told.id), args);
  }

  inspect(id = "x"): Promise<Reply> {
    const { lock, queue, sharing } = at.names(at.A);
    return this.#run.run("inspect", [lock(id), queue(id), sharing(id)], []);
  }

  /** The tickets that hold it. */
  async holders(): Promise<Reply[]> {
    const fields = (await this.#run.command("HKEYS", at.sharingKey)) as Reply[];
    return fields.filter((field) => String(field).includes(":"));
  }

  /** The lease of this share ends now, by the server's clock. */
  async end(ticket: string): Promise<void> {
    const [, ...rest] = String(await this.#run.command("HGET", at.sharingKey, ticket)).split(" ");
    const past = String((await this.#run.now()) - 1);
    const share = [past, ...rest].join(" ");
    await this.#run.command("HSET", at.sharingKey, ticket, share, "first", `${past} ${ticket}`);
  }
}
