// The values in a stream of RESP, and the addresses of cluster nodes in replies.

/** Cuts a stream of RESP into whole values. */
export class Frames {
  #rest: Buffer = Buffer.alloc(0);

  add(chunk: Buffer): Buffer[] {
    const all = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const frames: Buffer[] = [];
    let at = 0;
    for (let end = frameEnd(all, at); end !== -1; end = frameEnd(all, at)) {
      frames.push(all.subarray(at, end));
      at = end;
    }
    this.#rest = all.subarray(at);
    return frames;
  }
}

/** Where the value that begins at `at` ends; -1 when it is not all there yet. */
function frameEnd(bytes: Buffer, at: number): number {
  const line = bytes.indexOf("\r\n", at);
  if (line === -1) return -1;
  const kind = String.fromCharCode(bytes[at] ?? 0);
  const count = Number(bytes.toString("latin1", at + 1, line));
  const next = line + 2;
  if ("$!=".includes(kind)) {
    const end = count === -1 ? next : next + count + 2;
    return end <= bytes.length ? end : -1;
  }
  if (!"*~>%|".includes(kind)) return next;
  let end = next;
  for (let left = "%|".includes(kind) ? count * 2 : count; left > 0; left -= 1) {
    end = end < bytes.length ? frameEnd(bytes, end) : -1;
    if (end === -1) return -1;
  }
  return end;
}

/** A redirection, or a reply of CLUSTER SLOTS, names nodes of 127.0.0.1; here with other ports. */
export function withOtherPorts(reply: Buffer, portOf: (port: number) => number): Buffer {
  if (!"-*".includes(String.fromCharCode(reply[0] ?? 0))) return reply;
  const text = reply.toString("latin1");
  const renamed = text.replace(
    /(\b127\.0\.0\.1(?:\r\n)?:)(\d+)(?=\r\n)/g,
    (_, host: string, port: string) => `${host}${String(portOf(Number(port)))}`,
  );
  return renamed === text ? reply : Buffer.from(renamed, "latin1");
}
