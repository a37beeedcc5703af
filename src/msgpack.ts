/**
 * The public API `holdfast/msgpack`: the serializer for MessagePack.
 *
 * It needs the package `msgpackr`, which nothing else in Holdfast imports: install it beside Holdfast.
 *
 * @packageDocumentation
 */
export { msgpack } from "./serializers/msgpack/msgpack.ts";
export type { Serializer } from "./serializers/serializer.ts";
