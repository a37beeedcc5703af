// How each bundler is called: as its documentation says for a program that runs in Node, and nothing for holdfast's sake.
// A configuration reads PROGRAM (which of test/tools), OUTPUT (a folder) and EXTERNAL (packages to leave outside) from its
// environment, as the commands do.

export interface Format {
  readonly name: string;
  readonly isModule: boolean;
  readonly command: readonly string[];
  /** The file in OUTPUT that holds this program. */
  output(program: string): string;
  /** Packages stay in node_modules, as this tool does unless told otherwise. */
  readonly leavesPackages?: true;
  /** Whether the clients of Redis, which are CommonJS, can be in the bundle without more plugins. */
  readonly takesCommonJs?: true;
}

export interface Bundler {
  readonly name: string;
  readonly packages: readonly string[];
  readonly files: Readonly<Record<string, string>>;
  readonly formats: readonly Format[];
}

const mjs = (program: string): string => `${program}.mjs`;
const cjs = (program: string): string => `${program}.cjs`;

/** A shell command, for the variables in it. */
const shell = (text: string): readonly string[] => ["sh", "-c", text];

const esbuild = (format: string, end: string, more = ""): readonly string[] =>
  shell(
    `esbuild "$PROGRAM.mjs" --bundle --platform=node --format=${format} ${more} ` +
      `--outfile="$OUTPUT/$PROGRAM.${end}" \${EXTERNAL:+--external:$EXTERNAL}`,
  );

const webpack = `
const external = process.env.EXTERNAL;
export default (env) => ({
  mode: "production",
  target: "node20",
  entry: { [process.env.PROGRAM]: \`./\${process.env.PROGRAM}.mjs\` },
  output: { path: process.env.OUTPUT, filename: env.esm ? "[name].mjs" : "[name].cjs", module: Boolean(env.esm) },
  experiments: { outputModule: Boolean(env.esm) },
  optimization: { minimize: !env.esm },
  externals: external ? { [external]: \`import \${external}\` } : {},
});
`;

const rollup = `
import { nodeResolve } from "@rollup/plugin-node-resolve";
const { PROGRAM, OUTPUT, EXTERNAL, FORMAT } = process.env;
export default {
  input: \`\${PROGRAM}.mjs\`,
  output: { dir: OUTPUT, format: FORMAT, entryFileNames: FORMAT === "cjs" ? "[name].cjs" : "[name].mjs" },
  external: EXTERNAL ? [EXTERNAL] : [],
  plugins: [nodeResolve()],
};
`;

const vite = `
const { PROGRAM, OUTPUT, EXTERNAL, WHOLE } = process.env;
export default {
  ssr: { noExternal: WHOLE ? true : undefined, external: EXTERNAL ? [EXTERNAL] : [] },
  build: { ssr: \`\${PROGRAM}.mjs\`, outDir: OUTPUT, emptyOutDir: false, rolldownOptions: { output: { entryFileNames: "[name].mjs" } } },
};
`;

export const configs: readonly Bundler[] = [
  {
    name: "esbuild",
    packages: ["esbuild@0.28.2"],
    files: {},
    formats: [
      { name: "ESM", isModule: true, command: esbuild("esm", "mjs"), output: mjs },
      {
        name: "CommonJS, minified",
        isModule: false,
        command: esbuild("cjs", "cjs", "--minify"),
        output: cjs,
        takesCommonJs: true,
      },
    ],
  },
  {
    name: "webpack",
    packages: ["webpack@5.113.0", "webpack-cli@7.3.1"],
    files: { "webpack.config.mjs": webpack },
    formats: [
      { name: "ESM", isModule: true, command: ["webpack", "--env", "esm"], output: mjs },
      { name: "CommonJS, minified", isModule: false, command: ["webpack"], output: cjs, takesCommonJs: true },
    ],
  },
  {
    name: "rollup",
    packages: ["rollup@4.68.8", "@rollup/plugin-node-resolve@16.0.3"],
    files: { "rollup.config.mjs": rollup },
    formats: [
      { name: "ESM", isModule: true, command: shell("FORMAT=es rollup -c"), output: mjs },
      { name: "CommonJS", isModule: false, command: shell("FORMAT=cjs rollup -c"), output: cjs },
    ],
  },
  {
    name: "vite",
    packages: ["vite@8.4.0"],
    files: { "vite.config.mjs": vite },
    formats: [
      { name: "SSR", isModule: true, command: ["vite", "build"], output: mjs, leavesPackages: true },
      {
        name: "SSR in one",
        isModule: true,
        command: shell("WHOLE=1 vite build"),
        output: mjs,
        takesCommonJs: true,
      },
    ],
  },
];
