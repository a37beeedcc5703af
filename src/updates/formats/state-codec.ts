/**
 * The codec of a state with a schema, a version, or data of other serializers.
 *
 * What is stored in another format is brought into its own when it is opened: read by the serializer that wrote
 * it, migrated one version after the other, validated, and serialized again. So nothing else has to know of other formats.
 * It is stored by the next save. What is stored has changed then, even if the value has not, so `update` saves it.
 */
import type { StoredState } from "../../backends/contract.ts";
import { runForCaller } from "../../caller-stacks.ts";
import { clause, InvalidArgumentError, isError, quoted, type HoldfastError } from "../../errors.ts";
import type { Serializer } from "../../serializers/serializer.ts";
import { VersionError } from "../../value-errors.ts";
import { Codec, type Opened } from "../codec.ts";
import { formatName, type Known } from "./format-name.ts";
import { validated, validatedToSave, type Migration, type Origin, type Schema } from "./schema.ts";

/** What the values of a state are, and were. */
export interface ValueRules {
  readonly schema: Schema | undefined;
  /** 1 if the handle has none. */
  readonly version: number;
  /** By the version that they take; without holes up to `version`. */
  readonly migrations: ReadonlyMap<number, Migration>;
  readonly previousSerializers: readonly Serializer[];
}

interface Older {
  readonly version: number;
  readonly codec: Codec;
}

export class StateCodec extends Codec {
  readonly #rules: ValueRules;
  /** By their names: the formats that are read besides its own. */
  readonly #older: ReadonlyMap<string, Older>;
  override readonly format: string;
  override readonly replaces: readonly string[] | undefined;

  constructor(
    of: { readonly id: string; readonly serializer: Serializer; readonly maxBytes: number },
    rules: ValueRules,
  ) {
    super(of.id, of.serializer, of.maxBytes);
    this.#rules = rules;
    this.format = formatName({ serializer: of.serializer.name, version: rules.version });
    this.#older = this.#olderFormats(of.maxBytes);
    this.replaces = this.#older.size === 0 ? undefined : [...this.#older.keys()];
  }

  override encode(value: unknown): Uint8Array {
    const { schema } = this.#rules;
    return super.encode(schema === undefined ? value : validatedToSave(schema, this.id, value));
  }

  override decode(bytes: Uint8Array): unknown {
    return this.#validated("stored", super.decode(bytes));
  }

  override readBack(bytes: Uint8Array): unknown {
    return this.#validated("new", super.readBack(bytes));
  }

  override open(stored: StoredState): Opened {
    const older = this.#older.get(stored.serializer);
    if (older === undefined) return super.open(stored);
    return { bytes: this.#migrated(older, older.codec.valueOf(stored)), isCurrent: false };
  }

  protected override get known(): Known {
    const { version, migrations, previousSerializers } = this.#rules;
    return {
      id: this.id,
      format: { serializer: this.serializer.name, version },
      oldest: version - migrations.size,
      previous: previousSerializers.map(({ name }) => name),
    };
  }

  #validated(origin: Origin, value: unknown): unknown {
    const { schema } = this.#rules;
    return schema === undefined ? value : validated(schema, { id: this.id, origin }, value);
  }

  #olderFormats(maxBytes: number): Map<string, Older> {
    const { version, migrations, previousSerializers } = this.#rules;
    const older = new Map<string, Older>();
    for (const serializer of [this.serializer, ...previousSerializers]) {
      const codec = new Codec(this.id, serializer, maxBytes);
      for (let from = version; from >= version - migrations.size; from--) {
        const name = formatName({ serializer: serializer.name, version: from });
        if (name !== this.format) older.set(name, { version: from, codec });
      }
    }
    return older;
  }

  /** The value in the handle's own format. */
  #migrated({ version: from }: Older, stored: unknown): Uint8Array {
    const { version } = this.#rules;
    let value = stored;
    for (let at = from; at < version; at++) value = this.#step(at, value);
    const result = this.#validated(from === version ? "stored" : "migrated", value);
    try {
      return this.encode(result);
    } catch (error) {
      throw this.#cannotMigrate(from, error);
    }
  }

  #step(from: number, value: unknown): unknown {
    const migrate = this.#rules.migrations.get(from);
    if (migrate === undefined) throw new Error(`HOLDFAST_NO_MIGRATION: ${from}`);
    let made: unknown;
    try {
      made = runForCaller(() => migrate(value));
    } catch (error) {
      throw this.#cannotMigrate(from, error);
    }
    if (made instanceof Promise) {
      void made.catch(() => undefined);
      throw new InvalidArgumentError(
        `migrate[${from}] of the state ${quoted(this.id)} returned a promise: a migration must be synchronous.`,
      );
    }
    if (made !== undefined) return made;
    throw new InvalidArgumentError(
      `migrate[${from}] of the state ${quoted(this.id)} returned nothing: return the value of version ${from + 1}.`,
    );
  }

  #cannotMigrate(from: number, cause: unknown): HoldfastError {
    const { version } = this.#rules;
    const told = clause(isError(cause) ? cause.message : String(cause));
    return new VersionError(
      `The state ${quoted(this.id)} has version ${from}, and could not be migrated to version ${version}: ${told}. It was ` +
        `left as it is: fix migrate[${from}].`,
      { id: this.id, storedVersion: from, version, cause },
    );
  }
}
