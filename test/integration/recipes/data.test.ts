// The recipes for data and requests in several processes, of which some are killed or stopped: what their pages say under
// "When something goes wrong".
//
// Seen failing with the defence of each page taken out: without `once`, without the second look under the lock, with `load`
// and `save` instead of `run`, and without the checks of the seats.

import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";

import { open, type Store } from "../../../src/index.ts";
import { served, type Served } from "../../support/served.ts";
import { killAll, type Worker } from "../../support/workers.ts";
import { RecipeProgram } from "./recipe-program.ts";

vi.setConfig({ testTimeout: 120_000 });

const programs = {
  idempotencyKeys: new RecipeProgram(
    "idempotency-keys.md",
    `const store = open();
    const server = api(store, async (_account, body, key) => {
      const told = process.env["HANG"] === undefined ? undefined : event(process, "SIGUSR2");
      tell({ charged: key });
      await told;
      return [201, { charged: body }];
    }).listen(0, "127.0.0.1", () => tell(server.address() as AddressInfo));`,
  ),
  tokenRefresh: new RecipeProgram(
    "token-refresh.md",
    `const provider = createServer(async (request, response) => {
      const used = new URLSearchParams(await text(request)).get("refresh_token");
      tell({ used });
      if (process.env["HANG"] !== undefined) return;
      response.end(JSON.stringify({ access_token: "new", refresh_token: randomUUID(), expires_in: 3_600 }));
    }).listen(0, "127.0.0.1");
    await event(provider, "listening");
    if (process.env["FIRST"] !== undefined)
      await tokens.save({ accessToken: "old", refreshToken: "login", expiresAt: Date.now() });
    tell({ token: await accessToken(\`http://127.0.0.1:\${(provider.address() as AddressInfo).port}\`) });
    provider.close();
    await store.close();`,
  ),
  cache: new RecipeProgram(
    "cache-single-flight.md",
    `const fill = async () => {
      tell({ filled: true });
      return { name: "lamp" };
    };
    tell({ got: await Promise.all(Array.from({ length: 50 }, () => cached("lamp", fill))) });
    await store.close();`,
  ),
  rateLimits: new RecipeProgram(
    "rate-limits.md",
    `for (const limit of [() => fixedWindow("ada", 10, 600_000), () => gcra("ada", 10, 600_000)]) {
      const verdicts = await Promise.all(Array.from({ length: 25 }, limit));
      tell({ allowed: verdicts.filter(({ allowed }) => allowed).length });
    }
    for (const intervalMs of [100, 3_600]) await gcra(\`\${intervalMs}\`, 5, intervalMs);
    await store.close();`,
  ),
  sessions: new RecipeProgram(
    "sessions.md",
    `const cookie = process.env["COOKIE"] ?? (await logIn("ada", "laptop"));
    tell({ cookie });
    const add = () => change(cookie, ({ cart }) => void cart.push("apple"));
    await Promise.all(Array.from({ length: 25 }, add));
    tell({ items: (await current(cookie))?.cart.length });
    await store.close();`,
  ),
  seats: new RecipeProgram(
    "seats.md",
    `const customer = String(process.pid);
    for (let row = 0; row < 60; row += 1) {
      const pair = [\`\${row}\`, \`\${row + 1}\`];
      if ((await reserve("show", pair, customer)) && (await sell("show", pair, customer))) tell({ sold: pair });
    }
    await store.close();`,
  ),
  agent: new RecipeProgram(
    "agent-state.md",
    `tools.set("sendEmail", async (to) => {
      tell({ sent: to });
      return "sent";
    });
    tools.set("print", async () => {
      tell({ printing: true });
      if (process.env["HANG"] !== undefined) await new Promise(() => setInterval(() => {}, 60_000));
      return "printed";
    });
    const model: Model = async (history) => {
      if (history.at(-1)?.role === "tool") return { role: "assistant", text: "Done.", calls: [] };
      const calls = ["sendEmail", "print"].map((tool) => ({ id: tool, tool, input: "ada" }));
      return { role: "assistant", text: "", calls };
    };
    tell({ answer: await answer("c", "m1", "Mail Ada.", model) });
    await store.close();`,
  ),
};

/** What the processes told under this name. */
function told(workers: readonly Worker[], name: string): unknown[] {
  return workers.flatMap((worker) => worker.told.filter((line) => name in line).map((line) => line[name]));
}

async function ended(workers: readonly Worker[]): Promise<void> {
  for (const worker of workers) expect(await worker.ended, worker.errors).toBe(0);
}

async function request(worker: Worker, key: string): Promise<string> {
  await worker.until((lines) => lines.some((line) => "port" in line));
  const url = `http://127.0.0.1:${String(told([worker], "port")[0])}`;
  const headers = { "x-account": "7", "idempotency-key": key };
  const response = await fetch(url, { method: "POST", headers, body: "500" });
  return `${String(response.status)} ${await response.text()}`;
}

async function untilAnswered(worker: Worker, key: string): Promise<string> {
  for (;;) {
    const answer = await request(worker, key);
    if (!/^4(09|23)/.test(answer)) return answer;
  }
}

const hasTold = (name: string) => (lines: readonly object[]) => lines.some((line) => name in line);

afterAll(() => {
  for (const program of Object.values(programs)) program.end();
});

describe.each(["Redis", "SQLite"] as const)("%s", (name) => {
  let backend: Served;
  let store: Store;
  beforeAll(async () => {
    backend = await served[name]();
    store = open(backend.url, { waitMs: 60_000 });
  });
  afterEach(killAll);
  afterAll(async () => {
    await store.close();
    await backend.end();
  });
  const start = (program: RecipeProgram, env?: Record<string, string>): Worker =>
    program.start(backend.server?.adminUrl ?? backend.url, env); // sessions have another prefix
  const four = (program: RecipeProgram, env?: Record<string, string>): Worker[] =>
    [1, 2, 3, 4].map(() => start(program, env));

  test("idempotency keys: the process that charges is killed, and the retry charges with the same key", async () => {
    const [dying, next] = [
      start(programs.idempotencyKeys, { HANG: "" }),
      start(programs.idempotencyKeys),
    ] as const;
    const first = request(dying, "killed").catch(() => "connection broken");
    await dying.until(hasTold("charged"));
    expect(await request(next, "killed")).toMatch(/^409 /);
    await dying.kill();
    expect(await first).toBe("connection broken");
    expect(await untilAnswered(next, "killed")).toBe('201 {"charged":"500"}');
    expect(await request(next, "killed")).toBe('201 {"charged":"500"}');
    expect(told([dying, next], "charged")).toEqual(["killed", "killed"]);
  });

  test("idempotency keys: a process that was stopped for longer than its lease answers 503", async () => {
    const [stopped, next] = [
      start(programs.idempotencyKeys, { HANG: "" }),
      start(programs.idempotencyKeys),
    ] as const;
    const first = request(stopped, "stopped");
    await stopped.until(hasTold("charged"));
    stopped.signal("SIGSTOP");
    expect(await untilAnswered(next, "stopped")).toBe('201 {"charged":"500"}');
    stopped.signal("SIGCONT");
    stopped.signal("SIGUSR2");
    expect(await first).toMatch(/^503 /);
    expect(await request(next, "stopped")).toBe('201 {"charged":"500"}');
    expect(told([stopped, next], "charged")).toHaveLength(2);
  });

  test("token refresh: one of four processes refreshes; if it is killed before the answer, another one does", async () => {
    const dying = start(programs.tokenRefresh, { FIRST: "", HANG: "" });
    await dying.until(hasTold("used"));
    const workers = four(programs.tokenRefresh);
    await dying.kill();
    await ended(workers);
    expect(told([dying, ...workers], "used")).toEqual(["login", "login"]);
    expect(told(workers, "token")).toEqual(["new", "new", "new", "new"]);
  });

  test("cache: four processes with fifty callers each fill an entry once", async () => {
    const workers = four(programs.cache);
    await ended(workers);
    expect(told(workers, "filled")).toEqual([true]);
    expect(told(workers, "got").flat()).toEqual(Array.from({ length: 200 }, () => ({ name: "lamp" })));
  });

  test("rate limits: four processes together are allowed what the limit says", async () => {
    const workers = four(programs.rateLimits);
    await ended(workers);
    const allowed = told(workers, "allowed").map(Number);
    expect(allowed.reduce((sum, n) => sum + n)).toBe(10 + 10);
    expect(workers.map(({ errors }) => errors)).toEqual(["", "", "", ""]); // no warning of a life that looks like seconds
  });

  test("sessions: changes of one session in four processes are all kept", async () => {
    const first = start(programs.sessions);
    await first.until(hasTold("cookie"));
    const others = [1, 2, 3].map(() =>
      start(programs.sessions, { COOKIE: String(told([first], "cookie")[0]) }),
    );
    await ended([first, ...others]);
    expect(Math.max(...told([first, ...others], "items").map(Number))).toBe(100);
  });

  test("seats: no seat is sold to two, while a process is killed", async () => {
    const dying = start(programs.seats);
    await dying.until(hasTold("sold"));
    const workers = four(programs.seats);
    await dying.kill();
    await ended(workers);
    const sold = told([dying, ...workers], "sold").flat();
    expect(new Set(sold).size).toBe(sold.length);
    expect(sold.length).toBeGreaterThan(30);
  });

  test("agent: a worker is killed in one of two tool calls, and the next one repeats only that", async () => {
    const dying = start(programs.agent, { HANG: "" });
    await dying.until((lines) => hasTold("sent")(lines) && hasTold("printing")(lines));
    await store.once("tool-call:c:sendEmail", { keepMs: 600_000 }).run(() => undefined); // it is remembered
    await dying.kill();
    const next = start(programs.agent);
    await ended([next]);
    expect(told([dying, next], "sent")).toEqual(["ada"]);
    expect(told([dying, next], "printing")).toEqual([true, true]);
    expect(told([next], "answer")).toEqual(["Done."]);
  });
});
