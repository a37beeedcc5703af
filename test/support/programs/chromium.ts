// A Chromium for tests of pages: one of PATH, or Debian's, whose package is installed where that is possible.

import { findOnPath, installDebian } from "./redis-program.ts";

/** Throws an error that says what to install if there is none. */
export async function chromiumProgram(): Promise<string> {
  const found = find();
  if (found !== undefined) return found;
  const installed = await installDebian("chromium", find).catch(() => undefined);
  if (installed !== undefined) return installed;
  throw new Error(
    "The tests of the site need a browser: install chromium, so that it is found on PATH " +
      "(Debian: `sudo apt-get install chromium`; elsewhere Chromium or Google Chrome).",
  );
}

function find(): string | undefined {
  return findOnPath("chromium", "chromium-browser", "google-chrome", "google-chrome-stable");
}
