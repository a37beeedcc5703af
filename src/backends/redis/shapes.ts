/**
 * The shapes of `@redis/client` that the adapters rely on, written out so that no type of ours names the package.
 */

/** A connected client of `@redis/client` (or `redis`) 5 or 6, as given to `open()`. It stays yours: we never close it. */
export interface RedisClientLike {
  readonly isReady?: boolean;
  sendCommand(args: readonly (string | Buffer)[], options?: object): Promise<unknown>;
  /** Makes the connection for wakes, which is ours. Without it we ask more often. */
  duplicate?(overrides?: object): object;
}

export interface Sender {
  sendCommand(args: readonly (string | Buffer)[], options?: object): Promise<unknown>;
}

export interface SubscriberConnection {
  subscribe(channel: string, listener: (message: Buffer) => void, bufferMode: true): Promise<unknown>;
}

/** `timeout: undefined` saves an AbortSignal per command; the code of a bulk string's type is 36, its `$`. */
const asText = Object.freeze({ timeout: undefined, typeMapping: {} });
const asBytes = Object.freeze({ timeout: undefined, typeMapping: { 36: Buffer } });

export function readOptions(bytes: boolean): object {
  return bytes ? asBytes : asText;
}

/** Error replies begin with a word in capitals; what the package itself says does not. */
export function isReply(error: Error): boolean {
  return /^-?[A-Z]{2,}[A-Z0-9]*\b/.test(error.message) && !isSystemError(error.message);
}

/** `ECONNRESET` and the like stand at the beginning only where Node has nothing to add. */
function isSystemError(message: string): boolean {
  return /^E[A-Z]{4,}\b/.test(message) && !message.startsWith("EXECABORT");
}
