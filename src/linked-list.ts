/**
 * Lists for things that come and go often: deadlines, requests that wait.
 *
 * Joining and leaving move four references and allocate nothing. A Set or Map with such traffic allocates one table
 * after another, and each keeps the contents of the previous one alive (measured: a third of all time).
 */

/** A member of at most one list. The list is a ring that begins and ends with its head. */
export class ListNode {
  #before: ListNode = this;
  #after: ListNode = this;

  /** Whether it is a member of a list. For a head: whether the list has members. */
  get isLinked(): boolean {
    return this.#after !== this;
  }

  /** Leaves its list; does nothing if it is in none. */
  unlink(): void {
    this.#before.#after = this.#after;
    this.#after.#before = this.#before;
    this.#before = this.#after = this;
  }

  /** The node after it in the ring. */
  protected static after(node: ListNode): ListNode {
    return node.#after;
  }

  protected static insert(node: ListNode, before: ListNode): void {
    node.#before = before.#before;
    node.#after = before;
    before.#before.#after = node;
    before.#before = node;
  }
}

/** A list, first in, first out, unless a member is put back at its head. */
export class LinkedList<T extends ListNode> extends ListNode {
  get isEmpty(): boolean {
    return !this.isLinked;
  }

  get first(): T | undefined {
    return this.next(this);
  }

  /** The member after `node`; `undefined` at the end. */
  next(node: ListNode): T | undefined {
    const next = ListNode.after(node);
    return next === this ? undefined : (next as T);
  }

  append(node: T): void {
    ListNode.insert(node, this);
  }

  prepend(node: T): void {
    ListNode.insert(node, ListNode.after(this));
  }
}
