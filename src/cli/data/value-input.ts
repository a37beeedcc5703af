/** A value that is given on the command line, or to the standard input, in the form of its serializer. */
import { buffer } from "node:stream/consumers";

import type { SerializerName } from "../../serializers/named.ts";
import { UsageError } from "../exit-codes.ts";
import { jsonInput } from "./json-input.ts";

/** What `--serializer` takes. A pickle has types that no form of input has. */
type InputForm = Exclude<SerializerName, "pickle">;

/** Each from the operand, of which `-` is the standard input. */
const forms: Readonly<Record<InputForm, (operand: string) => Promise<unknown>>> = {
  json: jsonInput,
  text: async (operand) => (operand === "-" ? utf8(await buffer(process.stdin)) : operand),
  bytes: async (operand) => {
    if (operand === "-") return new Uint8Array(await buffer(process.stdin));
    throw new UsageError("--serializer bytes takes its bytes from the standard input: write - for VALUE.");
  },
};

/** Throws UsageError for a name that is none of the three. */
export function inputForm(name: string): InputForm {
  if (Object.hasOwn(forms, name)) return name as InputForm;
  throw new UsageError(`--serializer must be json, text or bytes; got ${JSON.stringify(name)}.`);
}

/** Throws UsageError for what is not in this form. */
export function valueInput(form: InputForm, operand: string): Promise<unknown> {
  return forms[form](operand);
}

function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new UsageError("What the standard input has is not UTF-8: use --serializer bytes.");
  }
}
