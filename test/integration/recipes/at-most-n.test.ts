// Three processes that render, one of which is killed: never more than four at the same time, and the others get its permits.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

import { poll } from "../../support/poll.ts";
import { onEachStore } from "./on-each-store.ts";

onEachStore("at-most-n.md", (setting, name) => {
  test("three processes never use more permits than there are; those of a killed one are not missing for long", async () => {
    const { page, backend } = setting();
    const log = page.path(`log-${name}`);
    const changes = [
      [
        "import { setTimeout as sleep }",
        'import { appendFileSync } from "node:fs";\nimport { setTimeout as sleep }',
      ],
      ["used += permits;", `appendFileSync(${JSON.stringify(log)}, \`\${process.pid} \${permits}\\n\`);`],
      ["used -= permits;", `appendFileSync(${JSON.stringify(log)}, \`\${process.pid} \${-permits}\\n\`);`],
      [/\/\/ While others.*$/s, "await store.close();"],
    ] as const;
    const hangs = ["sleep(20", "sleep(600_000"] as const;
    const killed = page.start(backend.url, [...changes, hangs]);
    const entries = (): [pid: string, permits: number][] => {
      const lines = readFileSync(log, { encoding: "utf8", flag: "a+" })
        .split("\n")
        .filter((line) => line !== "");
      return lines.map((line) => line.split(" ")).map(([pid = "", permits]) => [pid, Number(permits)]);
    };
    await poll(() => entries().length).toBeGreaterThan(0);
    const [[gone] = [""]] = entries();
    const others = [1, 2].map(() => page.start(backend.url, changes));
    killed.signal("SIGKILL");
    await killed.ended();
    for (const one of others) {
      expect(await one.ended(), one.warned.join("\n")).toBe(0);
      expect(one.said).toEqual(["12 true"]);
    }
    let [used, peak] = [0, 0];
    for (const [pid, permits] of entries()) {
      if (pid === gone) continue;
      used += permits;
      peak = Math.max(peak, used);
    }
    expect(used).toBe(0);
    expect(peak).toBeLessThanOrEqual(4);
  });
});
