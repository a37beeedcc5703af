// The backends that several processes can share, each by its URL, for tests with real processes.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startServer, type TestServer } from "./setting.ts";

export interface Served {
  readonly url: string;
  /** Of Redis. */
  readonly server?: TestServer;
  /** A folder for what the processes of a test share besides the store. */
  readonly folder: string;
  end(): Promise<void>;
}

const makeFolder = (): string => mkdtempSync(join(tmpdir(), "holdfast-processes-"));

export const served: Readonly<Record<"Redis" | "SQLite", () => Promise<Served>>> = {
  async Redis() {
    const [server, folder] = [await startServer(), makeFolder()];
    const end = async (): Promise<void> => {
      await server.stop();
      rmSync(folder, { recursive: true });
    };
    return { url: server.url, server, folder, end };
  },
  async SQLite() {
    const folder = makeFolder();
    const end = async (): Promise<void> => rmSync(folder, { recursive: true });
    return { url: `sqlite:${join(folder, "store.db")}`, folder, end };
  },
};
