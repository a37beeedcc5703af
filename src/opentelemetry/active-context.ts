/**
 * Makes a span the active one for what a traced call does. `bindStore()` of a channel sets an AsyncLocalStorage; this
 * one sets OpenTelemetry's context instead, wherever its context manager keeps that.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { context, type Context } from "@opentelemetry/api";

export class ActiveContext extends AsyncLocalStorage<Context> {
  override run<R, Args extends unknown[]>(store: Context, body: (...args: Args) => R, ...args: Args): R {
    return context.with(store, () => body(...args));
  }
}
