/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Spans and metrics for OpenTelemetry, of what Holdfast's tracing channels tell: the entry `holdfast/opentelemetry`.
 *
 * It needs the package `@opentelemetry/api`, which nothing else in Holdfast imports. It makes no exporters: those are
 * the application's own.
 *
 * @packageDocumentation
 */
export { instrument } from "./instrument.ts";
export type { Instrumentation, InstrumentOptions } from "./instrument.ts";
