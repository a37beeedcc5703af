/**
 * What every adapter for a Redis client must do: the port (backends/redis/client/client-port.ts), seen from outside.
 *
 * A case works on a real server, through clients that it makes and closes. A case that needs a fault (a lost reply, a
 * server that is away) needs a hook; without one it is reported as skipped.
 */
import { breakCases } from "./client-suite/breaks.ts";
import type { ClientCase } from "./client-suite/case.ts";
import { closingCases } from "./client-suite/closing.ts";
import { commandCases } from "./client-suite/commands.ts";
import { ClientFixture } from "./client-suite/fixture.ts";
import type { ClientSuiteOptions } from "./client-suite/options.ts";
import { replyCases } from "./client-suite/replies.ts";
import { subscriptionCases } from "./client-suite/subscriptions.ts";

/**
 * Proves that a `RedisClient` keeps what its port asks for.
 *
 * @example
 * ```ts
 * import { test } from "node:test";
 * import { clientSuite } from "holdfast/testing";
 *
 * clientSuite({ test, createClient: () => new MyAdapter("redis://localhost:6379") });
 * ```
 */
export function clientSuite(options: ClientSuiteOptions): void {
  const cases: readonly ClientCase[] = [
    ...commandCases,
    ...replyCases,
    ...closingCases,
    ...breakCases,
    ...subscriptionCases,
  ];
  for (const { name, needs, run } of cases) {
    const missing = needs.filter((need) => options.hooks?.[need] === undefined);
    const reason = missing.map((need) => `the client brings no hook ${need}()`).join("; ");
    if (reason === "") options.test(name, () => inFixture(options, run));
    else if (options.skip !== undefined) options.skip(name, reason);
    else options.test(`${name} (skipped: ${reason})`, () => Promise.resolve());
  }
}

async function inFixture(options: ClientSuiteOptions, run: ClientCase["run"]): Promise<void> {
  const fixture = new ClientFixture(options);
  try {
    await run(fixture);
  } finally {
    await fixture.end();
  }
}
