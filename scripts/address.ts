// Where the package lives: `repository` of package.json is the one place that says so. `homepage` and `bugs` follow from it,
// and all three are left out until there is an address, so that no link leads nowhere.

export interface Manifest {
  readonly repository?: unknown;
  readonly homepage?: unknown;
  readonly bugs?: unknown;
}

/** What is wrong with the three fields. A package that is published must have them. */
export function addressProblems(manifest: Manifest, how: { readonly isPublished: boolean }): string[] {
  const { repository, homepage, bugs } = manifest;
  if (repository === undefined) {
    const premature = Object.entries({ homepage, bugs }).filter(([, value]) => value !== undefined);
    const problems = premature.map(
      ([name]) => `${name} is set, but repository is not, from which it follows`,
    );
    return how.isPublished ? [...problems, "set repository, homepage and bugs before you publish"] : problems;
  }
  const address = addressOf(repository);
  if (address === undefined)
    return [
      'repository must be { "type": "git", "url": "git+https://….git" }; homepage and bugs follow from it',
    ];
  const expected = { homepage: `${address}#readme`, bugs: `${address}/issues` };
  const given = { homepage, bugs };
  return (["homepage", "bugs"] as const)
    .filter((name) => given[name] !== expected[name])
    .map((name) => `${name} must be ${expected[name]}, since repository is ${address}`);
}

function addressOf(repository: unknown): string | undefined {
  const { type, url } = (repository ?? {}) as { readonly type?: unknown; readonly url?: unknown };
  const [, address] = /^git\+(https:\/\/[\w.-]+\/[\w./-]+)\.git$/.exec(String(url)) ?? [];
  return type === "git" ? address : undefined;
}
