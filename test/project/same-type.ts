// For tests of types: says whether two types are the very same.
/* eslint-disable @typescript-eslint/no-unnecessary-type-parameters -- type algebra */

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
/** Compiles only when both are the very same type. Never run. */
export declare function same<A, B>(yes: Equal<A, B>): void;
