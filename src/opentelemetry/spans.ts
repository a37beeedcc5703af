/**
 * A span for each traced call that has begun, until it ends. Its parent is what is active where it was called; for a save,
 * the span of the first call that it answers. The spans of a save and of the calls that it answers are linked.
 */
import {
  context,
  trace as tracing,
  SpanStatusCode,
  type Attributes,
  type Context,
  type Link,
  type Span,
  type TracerProvider,
} from "@opentelemetry/api";
import type { SaveTrace } from "../diagnostics/traces.ts";
import { detailsOf, endAttributesOf, isFailure, type AnyTrace } from "./attributes.ts";

export class Spans {
  readonly #provider: TracerProvider | undefined;
  readonly #running = new Map<AnyTrace, Span>();

  constructor(provider: TracerProvider | undefined) {
    this.#provider = provider;
  }

  /** Returns the context in which the span is active. */
  begin(name: string, trace: AnyTrace, attributes: Attributes): Context {
    const parent = context.active();
    const span = this.#tracer.startSpan(name, { attributes }, parent);
    this.#running.set(trace, span);
    return tracing.setSpan(parent, span);
  }

  /** The same for a save. */
  beginSave(name: string, trace: SaveTrace, attributes: Attributes): Context {
    const callers = trace.updates.flatMap((update) => this.#running.get(update) ?? []);
    const links = callers.map((span) => linkTo(span));
    const [first] = callers;
    const active = context.active();
    const parent = first === undefined ? active : tracing.setSpan(active, first);
    const span = this.#tracer.startSpan(name, { attributes, links }, parent);
    for (const caller of callers) caller.addLink(linkTo(span));
    this.#running.set(trace, span);
    return tracing.setSpan(parent, span);
  }

  end(trace: AnyTrace): void {
    const span = this.#running.get(trace);
    if (span === undefined) return;
    this.#running.delete(trace);
    span.setAttributes({ ...endAttributesOf(trace), ...detailsOf(trace) });
    if (isFailure(trace)) {
      const { error } = trace;
      const text = error instanceof Error ? error.message : String(error);
      span.recordException(error instanceof Error ? error : text);
      span.setStatus({ code: SpanStatusCode.ERROR, message: text });
    }
    span.end();
  }

  /** Ends what has not ended. */
  close(): void {
    for (const span of this.#running.values()) span.end();
    this.#running.clear();
  }

  /** Of the provider that is set by then: an application may begin to trace after it has instrumented. */
  get #tracer() {
    return (this.#provider ?? tracing).getTracer("holdfast");
  }
}

function linkTo(span: Span): Link {
  return { context: span.spanContext() };
}
