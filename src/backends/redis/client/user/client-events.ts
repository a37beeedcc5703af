/**
 * Adds one listener per event to a user's client, however many stores share it: Node warns of a leak above ten. After the
 * last store has closed, no listener is left on the client.
 */
type Listener = (value?: unknown) => void;

export type Listeners = Readonly<Record<string, Listener>>;

/** What emits events; a wrapper may not. */
interface Emitter {
  on?(event: string, listener: Listener): unknown;
  off?(event: string, listener: Listener): unknown;
}

/** The listeners of one event of one client. */
class Relay {
  readonly listeners = new Set<Listener>();
  /** One that is added or removed meanwhile does not count. */
  readonly pass: Listener = (value) => {
    for (const listener of [...this.listeners]) listener(value);
  };
}

const relays = new WeakMap<object, Map<string, Relay>>();

export function listen(client: Emitter, listeners: Listeners): void {
  const ofClient = relays.get(client) ?? new Map<string, Relay>();
  relays.set(client, ofClient);
  for (const [event, listener] of Object.entries(listeners)) {
    const relay = ofClient.get(event) ?? new Relay();
    if (relay.listeners.size === 0) client.on?.(event, relay.pass);
    relay.listeners.add(listener);
    ofClient.set(event, relay);
  }
}

export function forget(client: Emitter, listeners: Listeners): void {
  for (const [event, listener] of Object.entries(listeners)) {
    const relay = relays.get(client)?.get(event);
    if (relay?.listeners.delete(listener) === true && relay.listeners.size === 0)
      client.off?.(event, relay.pass);
  }
}
