// What an editor shows of the API: a number of a promise, such as [S4], says nothing there to people who use the library. Only
// the contract for backends cites promises, for those who write one.

import { join } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";

import { entryPoints } from "../../../scripts/site/entry-points.ts";
import { root } from "./doc-blocks.ts";

const forBackends = ["holdfast/backend", "holdfast/testing"];

test("no docstring of what users import cites a promise by its number", () => {
  const points = entryPoints(root).filter(({ name }) => !forBackends.includes(name));
  const sources = points.map(({ source }) => join(root, source));
  const program = ts.createProgram(sources, { module: ts.ModuleKind.NodeNext, noEmit: true });
  const checker = program.getTypeChecker();
  const seen = new Set<ts.Symbol>();
  const citing: string[] = [];

  for (const path of sources) {
    const file = program.getSourceFile(path);
    const module = file && checker.getSymbolAtLocation(file);
    if (module === undefined) throw new Error(`${path} exports nothing`);
    for (const symbol of checker.getExportsOfModule(module)) look(symbol, symbol.name);
  }
  expect(seen.size).toBeGreaterThan(500);
  expect(citing).toEqual([]);

  function look(given: ts.Symbol, name: string): void {
    const symbol = given.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(given) : given;
    const [first] = symbol.declarations ?? [];
    if (
      first === undefined ||
      seen.has(symbol) ||
      !first.getSourceFile().fileName.startsWith(join(root, "src"))
    )
      return;
    seen.add(symbol);
    const tags = symbol.getJsDocTags(checker).flatMap(({ text }) => text ?? []);
    const text = ts.displayPartsToString([...symbol.getDocumentationComment(checker), ...tags]);
    if (/\[[A-Z]\d+\]/.test(text)) citing.push(name);
    for (const member of [...(symbol.members?.values() ?? []), ...(symbol.exports?.values() ?? [])])
      if (!ts.isParameter(member.declarations?.[0] ?? first)) look(member, `${name}.${member.name}`);
    for (const declaration of symbol.declarations ?? [])
      if (ts.isTypeAliasDeclaration(declaration)) lookInside(declaration.type, name);
  }

  /** At the members of types without a name. */
  function lookInside(type: ts.Node, name: string): void {
    const member = ts.isPropertySignature(type) ? checker.getSymbolAtLocation(type.name) : undefined;
    if (member !== undefined) look(member, `${name}.${member.name}`);
    ts.forEachChild(type, (child) => lookInside(child, name));
  }
}, 60_000);
