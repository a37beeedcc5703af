/** `holdfast set`: saves a value that is given as JSON, as a text or as bytes. */
import type { SaveOptions } from "../../handles/state/state.ts";
import { defineCommand } from "../command.ts";
import { ifRevisionOf, stateId } from "../data/stored.ts";
import { inputForm, valueInput } from "../data/value-input.ts";
import { durationMs } from "../durations.ts";
import { exitCodes, UsageError } from "../exit-codes.ts";
import { maxVersion } from "../../updates/formats/format-name.ts";
import { storeOptions, withStore } from "../store-options.ts";
import { waitOption, waitMsOf } from "../data/wait-option.ts";

function versionOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new UsageError(`--value-version must be a whole number from 1 to ${String(maxVersion)}.`);
}

export const setCommand = defineCommand({
  usage: "ID VALUE|- [options]",
  description: `Saves VALUE, which is JSON; with - it is read from the standard input. A value that begins with "-" must follow --. It
waits while others hold the lock of the state. A state that another serializer wrote is not changed.
With --serializer text, VALUE is the text itself. With bytes, it is read from the standard input. A sealed state cannot be
set.
As JSON: {"id","revision"}.`,
  options: {
    "if-revision": {
      type: "string",
      value: "N|absent",
      help: "only if the state is at this revision, or absent",
    },
    ttl: {
      type: "string",
      value: "DURATION",
      help: "delete it after this time: 90, 250ms, 24h; none: never. Default: unchanged",
    },
    serializer: { type: "string", value: "json|text|bytes", help: "of the state. Default: json" },
    "value-version": {
      type: "string",
      value: "N",
      help: "the version that the value has; a state of another version is left as it is. Default: 1",
    },
    ...waitOption,
    ...storeOptions,
  },
  operands: { min: 2, max: 2 },
  examples: [
    `holdfast set limits '{"perMinute": 60}'`,
    "holdfast set claim '\"me\"' --if-revision absent --ttl 10m",
    "holdfast set debt -- -5",
    "holdfast get a | holdfast set b -",
    "holdfast set motd 'Closed on Monday' --serializer text",
    "holdfast set picture - --serializer bytes < picture.bin",
  ],
  async run({ values, operands: [operand = "", input = ""], output }) {
    const { "if-revision": revision, ttl, serializer: name = "json" } = values;
    const id = stateId(operand);
    const options: SaveOptions = {
      ...(revision === undefined ? {} : { ifRevision: ifRevisionOf(revision) }),
      ...(ttl === undefined ? {} : { ttlMs: ttl === "none" ? ttl : Math.round(durationMs(ttl, "--ttl")) }),
      ...waitMsOf(values),
    };
    const serializer = inputForm(name);
    const value = await valueInput(serializer, input);
    const version = versionOf(values["value-version"]);
    const saved = await withStore(values, (store) =>
      store.state(id, { serializer, version }).save(value, options),
    );
    await output.result({ id, revision: saved }, `Saved at revision ${String(saved)}.`);
    return exitCodes.done;
  },
});
