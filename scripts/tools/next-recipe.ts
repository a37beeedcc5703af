// What the pages of docs/recipes/nextjs.md must do when they are built and served: an order is paid once, by the route
// handler and by the form with its server action, as a browser without JavaScript sends it.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { writeRecipe } from "./recipe-files.ts";

/** What its TypeScript needs. */
export const recipePackages = ["typescript@6.0.3", "@types/react@19.3.3", "@types/node@22.20.5"];

export function addRecipe(shop: string): void {
  writeRecipe(shop, { page: "nextjs.md", mark: "next" });
  // As in the projects that create-next-app makes.
  const compilerOptions = { strict: true, paths: { "@/*": ["./*"] } };
  writeFileSync(join(shop, "tsconfig.json"), JSON.stringify({ compilerOptions }));
}

/** `url` is that of the server. */
export async function expectRecipe(url: string): Promise<void> {
  await expectOneReceipt(url);
  await expectForm(url);
}

async function expectOneReceipt(url: string): Promise<void> {
  const order = randomUUID();
  const answers = await Promise.all([1, 2, 3, 4].map(() => pay(url, order)));
  const paid = answers.filter(({ status }) => status === 200);
  const busy = answers.filter(({ status }) => status === 423);
  assert.ok(paid.length > 0, "one of several requests at once pays");
  assert.equal(paid.length + busy.length, answers.length);
  for (const { body } of busy) assert.deepEqual(body, { code: "LOCK_TIMEOUT", outcome: "none" });
  for (const { body } of paid) assert.deepEqual(body, (await pay(url, order)).body);
}

async function expectForm(url: string): Promise<void> {
  const page = `${url}/orders/${randomUUID()}`;
  const before = await (await fetch(page)).text();
  assert.match(before, /<button/);
  const form = new FormData();
  for (const [, name = "", value = ""] of before.matchAll(/name="(\$ACTION[^"]*)"(?: value="([^"]*)")?/g))
    form.append(name, value.replaceAll("&quot;", '"').replaceAll("&amp;", "&"));
  const sent = await fetch(page, { method: "POST", body: form });
  assert.equal(sent.status, 200);
  const after = await (await fetch(page)).text();
  const { body } = await pay(url, page.slice(page.lastIndexOf("/") + 1));
  assert.ok(after.includes(String(body["receipt"])), "the page shows the receipt of the form's payment");
}

async function pay(url: string, order: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`${url}/api/orders/${order}/payment`, { method: "POST" });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}
