// Who wants what: a trie over subject tokens with a bounded cache of match results.
//
//        (root)
//        ├─ plant ─┬─ 7 ── temp      {a}          plant.7.temp
//        │         └─ *  ── temp     {b}          plant.*.temp
//        └─ >                        {c}          >
//
// Values are kept once per (subject, value); the caller counts references if it needs to.

/** Match results kept; the cache is emptied when full. A gateway sees a few thousand distinct subjects. */
const CACHE_ENTRIES_MAX = 4096;

/** One name for a filter and its queue group (null: a plain subscription); a space occurs in neither. */
export function interestKey(filter: string, queue: string | null): string {
  return queue === null ? filter : `${filter} ${queue}`;
}

interface Node<T> {
  readonly literal: Map<string, Node<T>>;
  star: Node<T> | undefined;
  /** Values of filters that end here. */
  readonly here: Set<T>;
  /** Values of filters that end here with `>`. */
  readonly rest: Set<T>;
}

export class InterestTrie<T> {
  readonly #root: Node<T> = emptyNode();
  readonly #cache = new Map<string, readonly T[]>();
  #size = 0;

  /** How many (filter, value) pairs are in. */
  get size(): number {
    return this.#size;
  }

  /** Returns false if this pair was in already. `filter` must be valid. */
  insert(filter: string, value: T): boolean {
    const tokens = filter.split(".");
    const isRest = tokens.at(-1) === ">";
    let node = this.#root;
    for (const token of isRest ? tokens.slice(0, -1) : tokens) node = child(node, token);
    const values = isRest ? node.rest : node.here;
    if (values.has(value)) return false;
    values.add(value);
    this.#size += 1;
    this.#cache.clear();
    return true;
  }

  /** Returns false if this pair was not in. Empty branches are pruned. */
  remove(filter: string, value: T): boolean {
    const tokens = filter.split(".");
    const isRest = tokens.at(-1) === ">";
    if (!removeAt(this.#root, isRest ? tokens.slice(0, -1) : tokens, 0, isRest, value)) return false;
    this.#size -= 1;
    this.#cache.clear();
    return true;
  }

  /** Every value whose filter matches the literal `subject`, each once per matching filter. The array is shared: do not change it. */
  match(subject: string): readonly T[] {
    const cached = this.#cache.get(subject);
    if (cached !== undefined) return cached;
    const found = this.find(subject);
    if (this.#cache.size >= CACHE_ENTRIES_MAX) this.#cache.clear();
    this.#cache.set(subject, found);
    return found;
  }

  /** The same, and nothing is remembered: for questions by hand, which must not push out what messages need. */
  find(subject: string): readonly T[] {
    const found: T[] = [];
    collect(this.#root, subject.split("."), 0, found);
    return found;
  }

  hasMatch(subject: string): boolean {
    return this.match(subject).length > 0;
  }

  clear(): void {
    this.#root.literal.clear();
    this.#root.star = undefined;
    this.#root.here.clear();
    this.#root.rest.clear();
    this.#cache.clear();
    this.#size = 0;
  }
}

function emptyNode<T>(): Node<T> {
  return { literal: new Map(), star: undefined, here: new Set(), rest: new Set() };
}

function child<T>(node: Node<T>, token: string): Node<T> {
  if (token === "*") {
    node.star ??= emptyNode();
    return node.star;
  }
  let next = node.literal.get(token);
  if (next === undefined) {
    next = emptyNode();
    node.literal.set(token, next);
  }
  return next;
}

// Iteration depth is the number of tokens, bounded by SUBJECT_BYTES_MAX / 2.
function removeAt<T>(node: Node<T>, tokens: readonly string[], depth: number, isRest: boolean, value: T): boolean {
  if (depth === tokens.length) return (isRest ? node.rest : node.here).delete(value);
  const token = tokens[depth]!;
  const next = token === "*" ? node.star : node.literal.get(token);
  if (next === undefined || !removeAt(next, tokens, depth + 1, isRest, value)) return false;
  if (isEmpty(next)) {
    if (token === "*") node.star = undefined;
    else node.literal.delete(token);
  }
  return true;
}

function isEmpty<T>(node: Node<T>): boolean {
  return node.here.size === 0 && node.rest.size === 0 && node.star === undefined && node.literal.size === 0;
}

function collect<T>(node: Node<T>, tokens: readonly string[], depth: number, found: T[]): void {
  if (depth === tokens.length) {
    for (const value of node.here) found.push(value);
    return;
  }
  for (const value of node.rest) found.push(value);
  const literal = node.literal.get(tokens[depth]!);
  if (literal !== undefined) collect(literal, tokens, depth + 1, found);
  if (node.star !== undefined) collect(node.star, tokens, depth + 1, found);
}
