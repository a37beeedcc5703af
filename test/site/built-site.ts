// The site, built into a temporary folder and served, and a browser for it.

import { spawnSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { type Browser, chromium } from "playwright-core";

import { chromiumProgram } from "../support/programs/chromium.ts";

export const root = join(import.meta.dirname, "../..");

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css",
  ".js": "text/javascript",
  ".svg": "image/svg+xml",
};

export interface BuiltSite extends AsyncDisposable {
  readonly folder: string;
  /** Ends with a slash. */
  readonly url: string;
  /** Paths of all pages: "docs/guide.html". */
  readonly pages: readonly string[];
}

/** Runs what `npm run docs` runs. Throws an error with what it printed if it fails. */
export async function buildSite(): Promise<BuiltSite> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-site-"));
  const args = [join(root, "scripts/site/build.ts"), "--out", folder];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`npm run docs failed:\n${stdout}${stderr}`);
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? "", "http://site").pathname);
    try {
      const content = readFileSync(join(folder, path));
      response.writeHead(200, { "content-type": types[extname(path)] ?? "text/plain; charset=utf-8" });
      response.end(content);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    folder,
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`,
    pages: globSync("**/*.html", { cwd: folder }).toSorted(),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true });
    },
  };
}

export async function openBrowser(): Promise<Browser> {
  const executablePath = await chromiumProgram();
  // Chromium's sandbox does not work for root.
  return chromium.launch({ executablePath, args: ["--no-sandbox"] });
}
