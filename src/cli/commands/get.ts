/** `holdfast get`: the value of a state, or its bytes. */
import { defineCommand } from "../command.ts";
import { readStored, stateId, valueOf } from "../data/stored.ts";
import { exitCodes, UsageError } from "../exit-codes.ts";
import { jsonText } from "../printable.ts";
import { parseFormat } from "../../updates/formats/format-name.ts";
import { storeOptions, withBackend } from "../store-options.ts";

export const getCommand = defineCommand({
  usage: "ID [options]",
  description: `Prints the value of a state as JSON text. If the state is absent, it says so on the standard error, and the exit code is
1. For a state of the serializer "bytes", or of a serializer of your own, use --raw. Only your programs have the keys of
sealed states.
As JSON: {"id","revision","version","value","expiresInMs"} on one line.`,
  options: {
    raw: { type: "boolean", help: "print the stored bytes unchanged, even to a terminal" },
    ...storeOptions,
  },
  operands: { min: 1, max: 1 },
  examples: ["holdfast get counter", "holdfast get picture --raw > picture.bin"],
  async run({ values, operands: [operand = ""], output }) {
    if (values.raw === true && output.isJson) throw new UsageError("--raw and --json exclude each other.");
    const id = stateId(operand);
    const stored = await withBackend(values, (opened) => readStored(opened, id));
    if (stored === null) {
      output.note(`The state ${JSON.stringify(id)} is absent.`);
      return exitCodes.no;
    }
    if (values.raw === true) await output.raw(stored.bytes);
    else {
      const value = valueOf(id, stored);
      const { revision, expiresInMs = null } = stored;
      const { version } = parseFormat(stored.serializer);
      if (output.isJson) await output.result({ id, revision, version, value, expiresInMs }, "");
      else await output.raw(`${jsonText(value)}\n`);
    }
    return exitCodes.done;
  },
});
