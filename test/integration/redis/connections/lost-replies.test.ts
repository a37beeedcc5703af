// The transport: a reply that is lost, of each operation that changes something; the retry, and the first copy that arrives late.

import { describe, expect, test } from "vitest";

import type { RedisServer } from "../../../support/redis-server.ts";
import type { Proxy } from "../../../support/proxy.ts";
import { remove, save } from "../../../../src/testing/contract-client.ts";
import { failure, proxiedServer, TestClient } from "../clients.ts";

const operationMs = 1_500;

let server: RedisServer;
let proxy: Proxy;
proxiedServer((of) => ({ server, proxy } = of));

describe("a reply that is lost", () => {
  /** Each operation that changes something, with what must be so afterwards. */
  const operations: Record<
    string,
    { script: string; run: (a: TestClient) => Promise<() => Promise<unknown>> }
  > = {
    acquire: {
      script: "acquire",
      run: async (a) => {
        const turn = a.ticketFor("x");
        return () => turn.ask();
      },
    },
    release: {
      script: "release",
      run: async (a) => {
        const turn = a.ticketFor("x");
        await turn.granted();
        return () => turn.release();
      },
    },
    "release with a save": {
      script: "commit",
      run: async (a) => {
        const turn = a.ticketFor("x");
        await turn.granted();
        return () => turn.release({ write: save("1", { ifRevision: "absent" }) });
      },
    },
    save: {
      script: "write",
      run: async (a) => {
        const receipt = a.receipt();
        return () => a.write("x", save("1", { ifRevision: "absent" }), receipt);
      },
    },
    delete: {
      script: "write",
      run: async (a) => {
        const receipt = a.receipt();
        const ifRevision = await a.saved("x", save("1"));
        return () => a.write("x", remove({ ifRevision }), receipt);
      },
    },
    cancel: {
      script: "cancel",
      run: async (a) => {
        const turn = a.ticketFor("x");
        await turn.granted();
        return () => turn.cancel();
      },
    },
    force: {
      script: "force",
      run: async (a) => {
        const turn = a.ticketFor("x");
        await turn.granted();
        const receipt = a.receipt();
        return () => a.backend.releaseLock("x", turn.ticket, { forced: {} }, receipt);
      },
    },
  };

  describe.each(Object.entries(operations))("of %s", (_name, { script, run }) => {
    test("[S5] is unknown, and the retry answers as the first try would have", async () => {
      const a = await new TestClient(proxy.url, { operationMs }).listening();
      const call = await run(a);
      proxy.strike(script, "lose-reply");
      const error = await failure(call());
      expect(error).toMatchObject({ code: "UNREACHABLE", outcome: "unknown" });
      expect(error.message).toContain(`redis://127.0.0.1:${String(proxy.port)}`);
      const reply = await call();
      expect(reply).toMatchObject({
        status: expect.stringMatching(/^(granted|released|saved|deleted)$/) as unknown,
      });
      if (script !== "acquire") expect(await call()).toEqual(reply); // by the receipt
    });

    test("[S5] the first copy, arriving after the retry, does nothing", async () => {
      const a = await new TestClient(proxy.url, { operationMs }).listening();
      const call = await run(a);
      proxy.strike(script, "hold-back");
      expect(await failure(call())).toMatchObject({ code: "UNREACHABLE", outcome: "unknown" });
      await call();
      const before = await server.command("GET", "t:state:{x}");
      const locked = await server.command("GET", "t:lock:{x}");
      expect(await proxy.deliver()).toHaveLength(1);
      expect(await server.command("GET", "t:state:{x}")).toBe(before);
      expect(await server.command("GET", "t:lock:{x}")).toBe(locked);
    });
  });

  test("[S5] [L7] a late acquire of a ticket that is over is refused", async () => {
    const a = await new TestClient(proxy.url, { operationMs }).listening();
    const turn = a.ticketFor("x");
    proxy.strike("acquire", "hold-back");
    await failure(turn.ask());
    expect(await turn.cancel()).toEqual({ status: "cancelled" });
    expect(await proxy.deliver()).toEqual(["*1\r\n$7\r\nsettled\r\n"]);
    expect(await a.backend.inspectLock("x")).toBeNull();
  });
});
