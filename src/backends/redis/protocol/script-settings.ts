/**
 * How the scripts of one store are run: whether they declare all their keys, and in which edition.
 *
 * On a cluster, the scripts count and reach subscribers of sharded channels, too. Elsewhere they do not, since that takes
 * a right of its own. A store with an index has an edition, too.
 */
import { createHash } from "node:crypto";
import type { Script } from "../scripts/generated.ts";
import type { Keys } from "./keys.ts";

export interface ScriptSettings {
  /** If given, all keys of each script are declared, and this one with them: see keys.ts. */
  readonly neverKey?: string | undefined;
  readonly edition?: Edition | undefined;
}

export interface ScriptOptions {
  /** Declares all keys of each script, as servers other than Redis may require. On a cluster, this is always done. */
  readonly declareKeys?: boolean | undefined;
  /** Changes the scripts, to test them. Not an option of open(). */
  readonly edition?: Edition | undefined;
}

export function scriptSettings(
  onCluster: boolean,
  keys: Keys,
  { declareKeys = false, edition }: ScriptOptions,
): ScriptSettings {
  const editions = [
    ...(onCluster ? [clusterEdition] : []),
    ...(keys.isIndexed ? [indexEdition] : []),
    ...(edition === undefined ? [] : [edition]),
  ];
  return {
    neverKey: onCluster || declareKeys ? keys.never : undefined,
    edition: (script) => editions.reduce((text, edit) => edit(text), script),
  };
}

export type Edition = (script: Script) => Script;

/** Scripts of a store with an index keep it; those of others have no command for it. */
const indexEdition: Edition = (script) => {
  const text = script.text.replace("local INDEXED = false", "local INDEXED = true");
  return text === script.text ? script : withText(script, text);
};

const elsewhere = "local ON_CLUSTER = false";
const there = "local ON_CLUSTER = true";

export const clusterEdition: Edition = (script) => {
  const text = script.text.replace(elsewhere, there);
  return text === script.text ? script : withText(script, text);
};

export function withText({ name }: Script, text: string): Script {
  return { name, sha1: createHash("sha1").update(text).digest("hex"), text };
}
