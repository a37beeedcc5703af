import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Real servers and real processes, which wait more than they work: three files at a time keep two cores busy.
    pool: "forks",
    maxWorkers: 3,
    testTimeout: 20_000,
    hookTimeout: 120_000, // the first hook may have to install a Redis
    teardownTimeout: 10_000,
  },
  resolve: {
    // Tests and the examples they run see the sources; test/package.test.ts sees what is built.
    alias: [
      { find: /^holdfast$/, replacement: `${import.meta.dirname}/src/index.ts` },
      { find: /^holdfast\/testing$/, replacement: `${import.meta.dirname}/src/testing/index.ts` },
    ],
  },
});
