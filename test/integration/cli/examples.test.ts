// The command lines of the help and of docs/cli.md are ones that the commands accept.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

import { isCommand, loadCommand, summaries } from "../../../src/cli/commands.ts";
import { parseCall } from "../../../src/cli/parse-call.ts";

const page = readFileSync(join(import.meta.dirname, "../../../docs/cli.md"), "utf8");
const blocks = [...page.matchAll(/^```(\w*)\n(.*?)^```$/gms)]
  .filter(([, language]) => language === "" || language === "sh")
  .map(([, , block = ""]) => block);
/** Each with what follows the word `holdfast`; the lines of other programs are left out. */
const documented = blocks.flatMap((block) =>
  [...block.matchAll(/\bholdfast (?=[a-z])(.*)$/gm)].map(([, line = ""]) => line),
);

/** As a shell splits it, without redirections, escapes and variables. */
function wordsOf(line: string): string[] {
  const words = line.matchAll(/(?:[^\s"']+|"[^"]*"|'[^']*')+/g);
  return [...words].map(([word]) => word.replaceAll(/["']/g, ""));
}

async function accepts(line: string): Promise<void> {
  const [name = "", ...args] = wordsOf(line.split(/ [|<>] /)[0] ?? "");
  if (!isCommand(name)) throw new Error(`There is no command ${name}.`);
  parseCall(await loadCommand(name), args);
}

test.each(Object.keys(summaries))("the examples of %s --help are accepted", async (name) => {
  if (!isCommand(name)) throw new Error(name);
  const { examples } = await loadCommand(name);
  expect(examples.length).toBeGreaterThan(0);
  for (const line of examples)
    if (line.startsWith("holdfast ")) await accepts(line.slice("holdfast ".length));
});

test.each(documented)("docs/cli.md: holdfast %s", (line) => accepts(line));

test("docs/cli.md has examples", () => expect(documented.length).toBeGreaterThan(3));
