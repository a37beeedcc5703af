/** One case of the client suite. */
import type { ClientFixture } from "./fixture.ts";
import type { ClientSuiteHooks } from "./options.ts";

export interface ClientCase {
  readonly name: string;
  readonly needs: readonly (keyof ClientSuiteHooks)[];
  readonly run: (fixture: ClientFixture) => Promise<void>;
}

type Run = ClientCase["run"];

/** A case that every adapter can run. */
export function proof(name: string, run: Run): ClientCase {
  return { name, needs: [], run };
}

/** A case that needs hooks. */
export function needing(needs: ClientCase["needs"], name: string, run: Run): ClientCase {
  return { name, needs, run };
}
