/**
 * The public API `holdfast/pickle`: reads and writes pickles of Python that hold plain data, and runs none of their code.
 * The same serializer as `serializer: "pickle"`, its options, and the types for what JavaScript has no type for.
 *
 * @packageDocumentation
 */
export { createPickle, pickle } from "./serializers/pickle/pickle.ts";
export type { PickleOptions } from "./serializers/pickle/pickle-options.ts";
export { PyByteArray, PyFloat, PyFrozenSet, PyTuple } from "./serializers/pickle/python/collections.ts";
export { PyDate, PyDateTime, PyTime } from "./serializers/pickle/python/dates.ts";
export type { PyDateTimeParts, PyTimeParts } from "./serializers/pickle/python/dates.ts";
export { PyTimeDelta, PyTimeZone } from "./serializers/pickle/python/spans.ts";
export type { PyTimeDeltaParts } from "./serializers/pickle/python/spans.ts";
export type { Serializer } from "./serializers/serializer.ts";
