/**
 * What is stored for a sealed value: AES-256-GCM with a random nonce. A stored format: version 1.
 *
 * | bytes | what |
 * |---|---|
 * | 1 | the version, 1 |
 * | 1 | the length of the key's id |
 * | 1–32 | the key's id, in ASCII |
 * | 12 | the nonce |
 * | any | the ciphertext, as long as the value |
 * | 16 | the tag |
 *
 * Everything before the nonce, the inner serializer's name and the state's id are additional authenticated data: bytes
 * that were changed, or that belong to another id, are refused. The revision is not, since the server gives it with
 * the save: an older value of the same id is not told from the last one.
 */
import { createCipheriv, createDecipheriv, randomFillSync } from "node:crypto";

import type { ParsedKey } from "./keys.ts";
import type { Binding, Unsealed } from "./sealing.ts";

const version = 1;
const algorithm = "aes-256-gcm";
const nonceBytes = 12;
const authTagLength = 16;

export type Keys = readonly [ParsedKey, ...ParsedKey[]];

export function seal(bytes: Uint8Array, { id, key }: ParsedKey, binding: Binding): Uint8Array {
  const head = headOf(id);
  const sealed = new Uint8Array(head.length + nonceBytes + bytes.byteLength + authTagLength);
  sealed.set(head);
  const nonce = randomFillSync(sealed.subarray(head.length, head.length + nonceBytes));
  const cipher = createCipheriv(algorithm, key, nonce, { authTagLength });
  cipher.setAAD(boundTo(head, binding));
  sealed.set(cipher.update(bytes), head.length + nonceBytes);
  cipher.final(); // a stream cipher: nothing is left, but the tag needs it
  sealed.set(cipher.getAuthTag(), sealed.length - authTagLength);
  return sealed;
}

export function unseal(sealed: Uint8Array, keys: Keys, binding: Binding): Unsealed {
  const [found, length = 0] = sealed;
  const start = 2 + length;
  if (found !== undefined && found !== version)
    return { problem: `its envelope has the version ${found}, and only version ${version} can be read` };
  if (sealed.length < start + nonceBytes + authTagLength)
    return { problem: "it is too short for a sealed value: it was cut off, or changed" };
  const keyId = Buffer.from(sealed.subarray(2, start)).toString("latin1");
  if (!/^[A-Za-z0-9._-]{1,32}$/.test(keyId))
    return { problem: "its envelope has no valid key id: it was changed" };
  const key = keys.find(({ id }) => id === keyId);
  if (key === undefined) return { problem: missing(keyId, keys), keyId };
  const bytes = decrypt(sealed, { start, key, binding });
  if (bytes !== undefined) return { bytes, isCurrent: key === keys[0] };
  return {
    problem:
      `it was changed, or it was sealed for another id or another serializer, or with another key than the one with ` +
      `the id "${keyId}"`,
  };
}

/** `undefined`: the tag is not right. */
function decrypt(
  sealed: Uint8Array,
  { start, key, binding }: { start: number; key: ParsedKey; binding: Binding },
): Uint8Array | undefined {
  const nonce = sealed.subarray(start, start + nonceBytes);
  const tagAt = sealed.length - authTagLength;
  const decipher = createDecipheriv(algorithm, key.key, nonce, { authTagLength });
  decipher.setAAD(boundTo(sealed.subarray(0, start), binding));
  decipher.setAuthTag(sealed.subarray(tagAt));
  const bytes = decipher.update(sealed.subarray(start + nonceBytes, tagAt));
  try {
    decipher.final();
  } catch {
    return undefined;
  }
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function headOf(keyId: string): Uint8Array {
  return Buffer.concat([Uint8Array.of(version, keyId.length), Buffer.from(keyId, "latin1")]);
}

/** Unambiguous: the head says how long it is, a format has no NUL, and the id is the rest. */
function boundTo(head: Uint8Array, { format, id }: Binding): Uint8Array {
  return Buffer.concat([head, Buffer.from(`${format}\0${id}`, "utf8")]);
}

function missing(keyId: string, keys: Keys): string {
  const ids = keys.map(({ id }) => `"${id}"`).join(", ");
  return `it was sealed with the key "${keyId}", which is not among the keys of this process (${ids}): add it`;
}
