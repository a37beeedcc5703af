/** What `open()` says of a target that it does not know. */
import { InvalidArgumentError } from "../errors.ts";
import { show } from "../options.ts";

const allowed =
  'redis://host:port, rediss://host:port, redis+unix:///path, redis+sentinel://hosts/name, redis+cluster://hosts, { cluster: [{ host, port }] }, sqlite:path, memory:, a connected client of "@redis/client", a client of "ioredis", a Backend, or a list of targets';

export function unknownTarget(target: unknown): InvalidArgumentError {
  return new InvalidArgumentError(`open() takes ${allowed}; got ${show(target)}.`);
}

/** [P3] The target may contain a password: it is shown only if it cannot. */
export function unknownScheme(text: string, scheme: string | undefined): InvalidArgumentError {
  const hint = /^[\w.-]+:\d+$/.test(text)
    ? ` Did you mean ${show(`redis://${text}`)}?`
    : /^[\w./-]+$/.test(text)
      ? ` Did you mean ${show(`sqlite:${text}`)}?`
      : "";
  const got = scheme === undefined ? "a text without a scheme" : `a "${scheme}:" URL`;
  return new InvalidArgumentError(`open() (or HOLDFAST_URL) takes ${allowed}; got ${got}.${hint}`);
}
