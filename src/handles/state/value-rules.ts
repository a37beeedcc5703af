/** The options of a state that say what its values are, and were: `schema`, `version`, `migrate`, `previousSerializers`. */
import { InvalidArgumentError } from "../../errors.ts";
import * as parse from "../../options.ts";
import type { Parser } from "../../options.ts";
import type { Serializer } from "../../serializers/serializer.ts";
import { maxVersion } from "../../updates/formats/format-name.ts";
import type { Migration, Schema } from "../../updates/formats/schema.ts";
import type { ValueRules } from "../../updates/formats/state-codec.ts";

/** Each save names the formats that it may replace: so many versions, of so many serializers. */
const maxMigrations = 64;
const maxPreviousSerializers = 8;

export interface ParsedRules {
  schema?: Schema;
  version?: number;
  migrate?: ReadonlyMap<number, Migration>;
  previousSerializers?: readonly Serializer[];
}

const schema: Parser<Schema> = (value, name) => {
  const isPossible = (typeof value === "object" && value !== null) || typeof value === "function";
  const standard = isPossible ? (value as Partial<Schema>)["~standard"] : undefined;
  if (standard?.version === 1 && typeof standard.validate === "function") return value as Schema;
  throw new InvalidArgumentError(
    `${name} must be a schema that implements Standard Schema 1, such as one of zod, valibot or arktype; got ` +
      `${parse.show(value)}.`,
  );
};

const version: Parser<number> = (value, name) => {
  if (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= maxVersion) return Number(value);
  throw new InvalidArgumentError(
    `${name} must be a whole number from 1 to ${maxVersion}; got ${parse.show(value)}.`,
  );
};

const migrate: Parser<ReadonlyMap<number, Migration>> = (value, name) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new InvalidArgumentError(
      `${name} must be an object with a function for each version, such as { 1: (value) => … }; got ${parse.show(value)}.`,
    );
  }
  const steps = new Map<number, Migration>();
  for (const [key, step] of Object.entries(value)) {
    if (!/^[1-9]\d*$/.test(key)) {
      throw new InvalidArgumentError(
        `The keys of ${name} are the versions that its functions take, from 1; got ${parse.show(key)}.`,
      );
    }
    if (typeof step !== "function") {
      throw new InvalidArgumentError(
        `${name}[${key}] must be a function that returns the value of version ${Number(key) + 1}; got ${parse.show(step)}.`,
      );
    }
    steps.set(Number(key), step as Migration);
  }
  return steps;
};

const previousSerializers: Parser<readonly Serializer[]> = (value, name) => {
  if (!Array.isArray(value)) {
    throw new InvalidArgumentError(
      `${name} must be a list of serializers, such as ["json"]; got ${parse.show(value)}.`,
    );
  }
  if (value.length > maxPreviousSerializers) {
    throw new InvalidArgumentError(
      `${name} must have at most ${maxPreviousSerializers} serializers; got ${value.length}.`,
    );
  }
  return value.map((one, index) => parse.serializer(one, `${name}[${index}]`));
};

export const ruleParsers = { schema, version, migrate, previousSerializers };

/** `undefined`: values of every kind, of version 1, that this serializer wrote. */
export function rulesOf(given: ParsedRules, serializer: Serializer): ValueRules | undefined {
  const { schema: ofValues, version: own, migrate: steps = new Map<number, Migration>() } = given;
  const previous = given.previousSerializers ?? [];
  if (ofValues === undefined && own === undefined && steps.size === 0 && previous.length === 0)
    return undefined;
  checkSteps(own, steps);
  checkNames([serializer, ...previous]);
  return { schema: ofValues, version: own ?? 1, migrations: steps, previousSerializers: previous };
}

/** From the oldest that it takes, each version needs one, up to the one before the handle's. */
function checkSteps(own: number | undefined, steps: ReadonlyMap<number, Migration>): void {
  if (steps.size === 0) return;
  if (own === undefined) {
    throw new InvalidArgumentError(
      "migrate needs version: the version that its last function makes, and that is stored from now on.",
    );
  }
  if (steps.size > maxMigrations) {
    throw new InvalidArgumentError(
      `migrate must have at most ${maxMigrations} functions; got ${steps.size}. Leave out the oldest, of which nothing is stored any more.`,
    );
  }
  const [oldest, newest] = [Math.min(...steps.keys()), Math.max(...steps.keys())];
  if (newest >= own) {
    throw new InvalidArgumentError(
      `migrate[${newest}] makes a value of version ${newest + 1}, and version is ${own}: set version to ${newest + 1}, or ` +
        `leave it out.`,
    );
  }
  for (let at = oldest; at < own; at++) {
    if (steps.has(at)) continue;
    throw new InvalidArgumentError(
      `migrate[${at}] is missing: migrate needs a function for each version from ${oldest}, its first, to ${own - 1}, so that ` +
        `each of them can be brought to version ${own}.`,
    );
  }
}

function checkNames(serializers: readonly Serializer[]): void {
  const names = serializers.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice === undefined) return;
  throw new InvalidArgumentError(
    `previousSerializers names "${twice}" twice, or it is the serializer that the state has now: leave it out.`,
  );
}
