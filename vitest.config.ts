import { configDefaults, defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

import { TestProgress } from "./scripts/test-progress.ts";
import { notOnACluster } from "./test/scenarios/not-on-a-cluster.ts";

/** What `npm test` leaves to `npm run test:all`: the same promises under more load, and what is published. */
const apart = [
  "test/property/fuzz/fuzz.test.ts",
  "test/project/{jest,package,docs/recipes}.test.ts",
  "test/site/**",
  "test/integration/pressure/**",
  "test/simulation/simulation.test.ts",
  "test/model/model.test.ts",
  "test/contract/redis/**",
  "test/contract/suites-on-shards.test.ts",
  "test/property/oracle-{cluster,shards}.test.ts",
  "test/integration/redis/sentinel/**",
  "test/integration/redis/cluster/**",
  "test/integration/redis/connections/slow-link.test.ts",
  "test/contract/clients.test.ts",
  "test/integration/processes/{contention,crossed-orders,defaults,leader,once,readers-and-writers,updates}.test.ts",
  "test/integration/processes/{dying,shares,watching}/**",
  "test/integration/recipes/**",
  "test/integration/redlock/{clocks,cluster,interface,processes,sentinels,using}.test.ts",
  "test/integration/statefulpy/{faults,found,stateful}.test.ts",
  "test/integration/cli/{child,transfer}/**",
  "test/integration/statefulpy/node-versions.test.ts",
  "test/property/fuzz/huge.test.ts",
  "test/integration/test-runners/**",
  "test/unit/fake-timers.test.ts",
  "test/unit/mistakes/every-method.test.ts",
  "test/integration/errors/mistakes-in-targets.test.ts",
  "test/integration/opening/left-open.test.ts",
  "test/integration/statefulpy/python/**",
  "test/property/pickle/python.test.ts",
  "test/unit/serializers/pickle/hostile-sizes.test.ts",
  "test/integration/cli/data/**",
];

/** What `npm run test:apart` runs on a cluster of three primaries and three replicas as well. */
const onCluster = ["test/scenarios/**/*.test.ts", "test/integration/processes/{lives,pauses,redis}.test.ts"];

/** What `npm run test:servers` runs on each server. */
const servers = [
  "test/integration/redis/*.test.ts",
  "test/integration/redis/{connections,scripts,states}/*.test.ts",
  "test/property/oracle.test.ts",
];
const onClientsOnly =
  "test/integration/redis/connections/{fake-timers,other-clients,phases,server-kinds,tls}.test.ts";
const onlyOnServers = "test/contract/suites-on-server.test.ts";

/** Vitest begins with the largest files; these take long and are small, so that one of them would end the run alone. */
const first = [
  "test/contract/redis/",
  "test/contract/suites-on-",
  "test/contract/state-suite.test.ts",
  "test/contract/lock-suite.test.ts",
  "test/integration/processes/",
  "test/project/examples/",
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const place = first.findIndex((path) => moduleId.includes(`/${path}`));
      return place === -1 ? first.length : place;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: "main",
          include: ["test/**/*.test.ts"],
          exclude: [...configDefaults.exclude, ...apart, onlyOnServers],
        },
      },
      {
        extends: true,
        test: { name: "apart", include: apart.map((path) => path.replace("/**", "/*.test.ts")) },
      },
      {
        extends: true,
        test: {
          name: "cluster",
          env: { HOLDFAST_TEST_ON: "cluster" },
          include: onCluster,
          exclude: [
            ...configDefaults.exclude,
            ...Object.keys(notOnACluster).map((path) => `test/scenarios/${path}`),
          ],
        },
      },
      {
        extends: true,
        test: {
          name: "servers",
          include: [...servers, onlyOnServers],
          exclude: [...configDefaults.exclude, ...apart, onClientsOnly],
        },
      },
    ],
    // Real servers and real processes, which wait more than they work: three files at a time keep two cores busy.
    sequence: { sequencer: LongestFirst },
    reporters: ["default", new TestProgress()],
    pool: "forks",
    maxWorkers: 3,
    maxConcurrency: 2, // programs of the docs, each a process of its own
    testTimeout: 20_000,
    hookTimeout: 120_000, // the first hook may have to install a Redis
    teardownTimeout: 10_000,
  },
  resolve: {
    // Tests and the examples they run see the sources; test/project/package.test.ts sees what is built.
    alias: [
      { find: /^holdfast$/, replacement: `${import.meta.dirname}/src/index.ts` },
      { find: /^holdfast\/backend$/, replacement: `${import.meta.dirname}/src/backend.ts` },
      { find: /^holdfast\/msgpack$/, replacement: `${import.meta.dirname}/src/msgpack.ts` },
      { find: /^holdfast\/opentelemetry$/, replacement: `${import.meta.dirname}/src/opentelemetry/index.ts` },
      { find: /^holdfast\/pickle$/, replacement: `${import.meta.dirname}/src/pickle.ts` },
      { find: /^holdfast\/redlock$/, replacement: `${import.meta.dirname}/src/redlock/index.ts` },
      { find: /^holdfast\/reshard$/, replacement: `${import.meta.dirname}/src/resharding/index.ts` },
      { find: /^holdfast\/statefulpy$/, replacement: `${import.meta.dirname}/src/statefulpy/index.ts` },
      { find: /^holdfast\/testing$/, replacement: `${import.meta.dirname}/src/testing/index.ts` },
    ],
  },
});
