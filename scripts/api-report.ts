// Writes the public surface to api/*.api.md, where a change of it shows up in review.
//   --check  write nothing; fail if the reports are not what dist/ says

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Extractor, ExtractorConfig, ExtractorLogLevel } from "@microsoft/api-extractor";

const root = join(import.meta.dirname, "..");
const entries = {
  holdfast: "dist/index.d.ts",
  backend: "dist/backend.d.ts",
  msgpack: "dist/msgpack.d.ts",
  opentelemetry: "dist/opentelemetry/index.d.ts",
  pickle: "dist/pickle.d.ts",
  redlock: "dist/redlock/index.d.ts",
  reshard: "dist/resharding/index.d.ts",
  statefulpy: "dist/statefulpy/index.d.ts",
  testing: "dist/testing/index.d.ts",
};
const check = process.argv.includes("--check");

mkdirSync(join(root, "api"), { recursive: true }); // the extractor does not
for (const [name, entry] of Object.entries(entries)) {
  if (!reportOf(name, entry)) process.exitCode = 1;
}

function reportOf(name: string, entry: string): boolean {
  const result = Extractor.invoke(configOf(name, entry), {
    localBuild: !check,
    messageCallback: (message) => {
      // It bundles an older compiler and says so each time; our declarations are plain enough for it.
      if (message.messageId === "console-compiler-version-notice") message.logLevel = ExtractorLogLevel.None;
      if (message.messageId === "console-preamble") message.logLevel = ExtractorLogLevel.None;
    },
  });
  if (check && result.apiReportChanged)
    console.error(`api/${name}.api.md is not what dist/ says: run \`npm run api\``);
  return result.succeeded;
}

function configOf(name: string, entry: string): ExtractorConfig {
  return ExtractorConfig.prepare({
    configObjectFullPath: undefined,
    packageJsonFullPath: join(root, "package.json"),
    configObject: {
      projectFolder: root,
      mainEntryPointFilePath: join(root, entry),
      compiler: { tsconfigFilePath: join(root, "tsconfig.build.json"), skipLibCheck: true },
      apiReport: {
        enabled: true,
        reportFileName: `${name}.api.md`,
        reportFolder: join(root, "api"),
        reportTempFolder: join(root, "temp"),
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      newlineKind: "lf",
      messages: {
        compilerMessageReporting: { default: { logLevel: ExtractorLogLevel.Error } },
        // What it says about single declarations belongs beside them in the report.
        extractorMessageReporting: {
          default: { logLevel: ExtractorLogLevel.Warning, addToApiReportFile: true },
          // Every export is public here; tags for release stages would say the same 100 times.
          "ae-missing-release-tag": { logLevel: ExtractorLogLevel.None },
          // It names lines of dist/, so that any edit would make the report stale; the report marks them anyway.
          "ae-undocumented": { logLevel: ExtractorLogLevel.None },
          // The suites speak of types that the main entry exports.
          ...(name === "testing" && { "ae-forgotten-export": { logLevel: ExtractorLogLevel.None } }),
        },
        tsdocMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
      },
    },
  });
}
