// What a tool under test is, and what all of them share in a run. One that cannot be installed throws NotInstalled, which
// is a skip; everything else that it throws is a failure.

export interface Workplace {
  /** A folder in which npm has installed the packed package, and nothing else. */
  readonly packed: string;
  readonly tarball: string;
  readonly redisUrl: string;
  /** The path of a `node` of this major version. */
  node(major: number): string;
}

export interface Tool {
  readonly name: string;
  /** By exact versions, as in docs/supported-versions.md. */
  readonly packages: readonly string[];
  /** Works in this folder, which is empty. Throws if anything is not as it should be; returns what was tested. */
  test(folder: string, workplace: Workplace): Promise<string>;
}

/** npm, or this platform, does not have it. */
export class NotInstalled extends Error {}
