// The contract suites of holdfast/testing on every backend, without a test runner: for Bun and Deno, which run the
// sources as they are. The last line is `suites: N passed, N skipped`; a case that fails is told, and ends the run with 1.
//   bun test/tools/suites.ts [memory SQLite Redis]

import { backends, suites, type BackendUnderTest } from "../contract/backends.ts";

type Suite = (typeof suites)[string];
interface Named {
  readonly name: string;
  readonly run: () => Promise<void>;
}

const limitMs = 60_000;
const counts = { passed: 0, skipped: 0, failed: 0 };
const asked = process.argv.slice(2);
for (const [name, backend] of Object.entries(backends)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  for (const [suiteName, suite] of Object.entries(suites))
    await runSuite(`${suiteName} on ${name}`, suite, backend);
}
console.log(
  `suites on ${asked.join(", ")}: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`,
);
process.exit(counts.failed > 0 || counts.passed === 0 ? 1 : 0);

async function runSuite(title: string, suite: Suite, backend: BackendUnderTest): Promise<void> {
  const storage = await backend.create();
  const tests: Named[] = [];
  suite({
    test: (name, run) => tests.push({ name, run }),
    skip: () => (counts.skipped += 1),
    createBackend: () => storage.createBackend(),
    pushes: backend.pushes,
    hooks: storage.hooks,
  });
  for (const { name, run } of tests) await runTest(`${title}: ${name}`, run);
  await storage.end();
  console.log(`${title}: ${tests.length} cases`);
}

/**
 * A case that fails is run once more, and that is told. Some cases need the CPU in time: those that expect several calls to
 * share one hold, which goes on for 100 ms at most, or 10 ms while others wait (src/scheduling/hold-bounds.ts), and then
 * serves them one by one; and those with leases of some 100 ms. Three processes of a runtime run here beside the other
 * tools. On Node, vitest runs the same cases, each once.
 */
async function runTest(name: string, run: () => Promise<void>): Promise<void> {
  try {
    await inTime(run).catch(async (error: unknown) => {
      console.error(`once more: ${name}:`, error);
      await inTime(run);
    });
    counts.passed += 1;
  } catch (error) {
    counts.failed += 1;
    console.error(`failed: ${name}\n`, error);
  }
}

async function inTime(run: () => Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${limitMs} ms`)), limitMs);
  });
  await Promise.race([run(), late]).finally(() => clearTimeout(timer));
}
