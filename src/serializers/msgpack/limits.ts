/** The limits of a value in MessagePack. */

/** How many objects and arrays may be nested, as in JSON. Far below what any stack allows. */
export const maxDepth = 512;

/** A value whose parts are shared 2⁴⁰ times is small in memory, but endless for a walk. This many take a second. */
export const maxContainers = 2 ** 20;

/** Those of the formats int 64 and uint 64. */
export const smallestBigint = -(2n ** 63n);
export const largestBigint = 2n ** 64n - 1n;
