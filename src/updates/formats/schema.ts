/**
 * Schemas: the part of Standard Schema (https://standardschema.dev, version 1) that a state needs, and how a value is
 * validated. zod, valibot, arktype and others implement it, so none of them is imported.
 *
 * What is used is the output of the validation. It is validated again whenever it is loaded, so a schema must accept its
 * own output, and leave it as it is.
 */
import { isDeepStrictEqual, types } from "node:util";
import { clause, InvalidArgumentError, isError, quoted } from "../../errors.ts";
import { formatPath } from "../../serializers/value-path.ts";
import { ValidationError, type ValidationIssue } from "../../value-errors.ts";

/** What `validate` of a {@link Schema} returns: the value to use, or what is wrong. */
export type SchemaResult<Output> =
  | {
      /** The value to use, which the schema may have made from the one that it was given. */
      readonly value: Output;
      /** The value fits. */
      readonly issues?: undefined;
    }
  | {
      /** What is wrong with the value. */
      readonly issues: readonly {
        /** As text, for people. */
        readonly message: string;
        /** Where in the value: keys, from the outermost. */
        readonly path?:
          | readonly (
              | PropertyKey
              | {
                  /** The key of one level. */
                  readonly key: PropertyKey;
                }
            )[]
          | undefined;
      }[];
    };

/**
 * A schema of zod, valibot, arktype, or of another library that implements
 * [Standard Schema](https://standardschema.dev).
 */
export interface Schema<Input = unknown, Output = Input> {
  /** What Standard Schema prescribes. */
  readonly "~standard": {
    /** The version of Standard Schema. */
    readonly version: 1;
    /** The name of the library. */
    readonly vendor: string;
    /** Validates a value. A state needs its answer at once, so it must not return a promise. */
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    /** For the compiler only: there is no such value. */
    readonly types?:
      | {
          /** What it accepts. */
          readonly input: Input;
          /** What it makes. */
          readonly output: Output;
        }
      | undefined;
  };
}

/** The type of the values that a schema lets through. */
export type SchemaOutput<S extends Schema> = NonNullable<S["~standard"]["types"]>["output"];

/** A schema that accepts what it makes; otherwise a type that no schema has. */
export type SelfAccepting<S extends Schema> =
  SchemaOutput<S> extends NonNullable<S["~standard"]["types"]>["input"]
    ? S
    : Schema<SchemaOutput<S>, SchemaOutput<S>>;

/** Makes a value of version n + 1 of one of version n. Its parameter may have the type that version n had. */
export type Migration = {
  /** Takes a value of version n, and returns one of version n + 1. */
  migrate(value: unknown): unknown;
}["migrate"];

/** Where a value comes from, for the message. */
export type Origin = "new" | "stored" | "migrated";

const issuesShown = 3;
const advice: Readonly<Record<Origin, string>> = {
  new: "Nothing was saved: fix the value, or the schema.",
  stored:
    "It was left as it is: let the schema accept it, or give the state a new version and a migration " +
    "(node_modules/holdfast/docs/schemas.md).",
  migrated: "What is stored was left as it is: fix its migration, or let the schema accept it.",
};

/** The value that the schema makes of this one, which must stay the same if it is validated again. */
export function validatedToSave(schema: Schema, id: string, value: unknown): unknown {
  const output = validated(schema, { id, origin: "new" }, value);
  if (isDeepStrictEqual(value, output)) return output; // the schema has changed nothing, and so it will again
  const again = resultOf(schema, id, output);
  if (again.issues === undefined && isDeepStrictEqual(again.value, output)) return output;
  const issues = again.issues === undefined ? [] : issuesOf(again.issues);
  throw new ValidationError(
    `The schema of the state ${quoted(id)} ${issues.length > 0 ? "does not accept" : "changes"} what it made itself` +
      `${issues.length > 0 ? ` (${textOf(issues)})` : ""}. A stored value is validated whenever it is loaded: use a schema ` +
      `without transformations, or transform the value before you save it. Nothing was saved.`,
    { id, issues },
  );
}

/** Returns the output of the schema. Throws ValidationError. */
export function validated(
  schema: Schema,
  { id, origin }: { readonly id: string; readonly origin: Origin },
  value: unknown,
): unknown {
  const result = resultOf(schema, id, value);
  if (result.issues === undefined) return result.value;
  const issues = issuesOf(result.issues);
  throw new ValidationError(
    `The ${origin} value of the state ${quoted(id)} does not fit its schema: ${textOf(issues)}. ${advice[origin]}`,
    { id, stored: origin !== "new", issues },
  );
}

function resultOf(schema: Schema, id: string, value: unknown): SchemaResult<unknown> {
  let result: unknown;
  try {
    result = schema["~standard"].validate(value);
  } catch (cause) {
    const told = isError(cause) ? cause.message : String(cause);
    throw new ValidationError(
      `The schema of the state ${quoted(id)} failed: ${clause(told)}. Nothing was changed.`,
      { id, cause },
    );
  }
  if (isThenable(result)) {
    void Promise.resolve(result).catch(() => undefined);
    throw new InvalidArgumentError(
      `The schema of the state ${quoted(id)} validates asynchronously (it returned a promise), and a state needs an answer ` +
        `at once, since others wait for its lock. Take the asynchronous part out of the schema, and call it before save() or update().`,
    );
  }
  if (isResult(result)) return result;
  throw new InvalidArgumentError(
    `The schema of the state ${quoted(id)} does not implement Standard Schema: validate() must return { value } or { issues }.`,
  );
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return types.isPromise(value) || (isObject(value) && "then" in value && typeof value.then === "function");
}

function isResult(value: unknown): value is SchemaResult<unknown> {
  if (!isObject(value)) return false;
  const { issues } = value as { readonly issues?: unknown };
  return issues === undefined ? "value" in value : Array.isArray(issues);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function issuesOf(issues: Extract<SchemaResult<unknown>, { issues: readonly unknown[] }>["issues"]) {
  return issues.map(({ message, path = [] }): ValidationIssue => {
    // A copy: the list of a library may be of a class of its own.
    const keys = [...path].map((part) => (typeof part === "object" ? part.key : part));
    return { path: keys, message: oneLine(message) };
  });
}

function textOf(issues: readonly ValidationIssue[]): string {
  const shown = issues
    .slice(0, issuesShown)
    .map(({ path, message }) => `${pathOf(path)}: ${clause(message)}`);
  const rest = issues.length - shown.length;
  return `${shown.join("; ")}${rest > 0 ? `; and ${rest} more` : ""}`;
}

/** Some libraries give indexes as texts. */
function pathOf(path: readonly PropertyKey[]): string {
  return formatPath(path.map((key) => (typeof key === "string" && /^\d+$/.test(key) ? Number(key) : key)));
}

/** A library may give what is no text. */
function oneLine(message: unknown): string {
  const text = String(message).replaceAll(/\s+/g, " ").trim();
  return text.length <= 200 ? text : `${text.slice(0, 199)}…`;
}
