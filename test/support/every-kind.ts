// For fast-check's `anything`: every kind of value that a program may hand to a serializer.

export const everyKind = {
  maxDepth: 4,
  withBigInt: true,
  withBoxedValues: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true,
} as const;
