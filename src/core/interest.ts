// Who wants what: a trie over subject tokens with a bounded cache of match results.
//
//        (root)
//        ├─ plant ─┬─ 7 ── temp      {a}          plant.7.temp
//        │         └─ *  ── temp     {b}          plant.*.temp
//        └─ >                        {c}          >
//
// Values are kept once per (subject, value); the caller counts references if it needs to.

/** Match results kept, and values in all of them; the cache is emptied when full. A gateway sees a few thousand distinct subjects. */
const CACHE_ENTRIES_MAX = 4096;
const CACHE_VALUES_MAX = 65_536;

/** One name for a filter and its queue group (null: a plain subscription); a space occurs in neither. */
export function interestKey(filter: string, queue: string | null): string {
  return queue === null ? filter : `${filter} ${queue}`;
}

/** Lean, since a filter has one for each of its tokens: what most nodes have not is not made. */
interface Node<T> {
  /** The first literal child and its token; the others are in `literal`. */
  token: string;
  first: Node<T> | undefined;
  literal: Map<string, Node<T>> | undefined;
  star: Node<T> | undefined;
  /** Values of filters that end here. */
  here: Set<T> | undefined;
  /** Values of filters that end here with `>`. */
  rest: Set<T> | undefined;
}

export class InterestTrie<T> {
  #root: Node<T> = emptyNode();
  readonly #cache = new Map<string, readonly T[]>();
  #cachedValues = 0;
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
    const values = isRest ? (node.rest ??= new Set()) : (node.here ??= new Set());
    if (values.has(value)) return false;
    values.add(value);
    this.#size += 1;
    this.#forget();
    return true;
  }

  /** Returns false if this pair was not in. Empty branches are pruned. */
  remove(filter: string, value: T): boolean {
    const tokens = filter.split(".");
    const isRest = tokens.at(-1) === ">";
    if (!removeAt(this.#root, isRest ? tokens.slice(0, -1) : tokens, 0, isRest, value)) return false;
    this.#size -= 1;
    this.#forget();
    return true;
  }

  /** Every value whose filter matches the literal `subject`, each once per matching filter. The array is shared: do not change it. */
  match(subject: string): readonly T[] {
    const cached = this.#cache.get(subject);
    if (cached !== undefined) return cached;
    const found = this.find(subject);
    if (this.#cache.size >= CACHE_ENTRIES_MAX || this.#cachedValues + found.length > CACHE_VALUES_MAX) this.#forget();
    this.#cache.set(subject, found);
    this.#cachedValues += found.length;
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
    this.#root = emptyNode();
    this.#forget();
    this.#size = 0;
  }

  #forget(): void {
    this.#cache.clear();
    this.#cachedValues = 0;
  }
}

function emptyNode<T>(): Node<T> {
  return { token: "", first: undefined, literal: undefined, star: undefined, here: undefined, rest: undefined };
}

function literalChild<T>(node: Node<T>, token: string): Node<T> | undefined {
  return node.first !== undefined && node.token === token ? node.first : node.literal?.get(token);
}

function child<T>(node: Node<T>, token: string): Node<T> {
  if (token === "*") {
    node.star ??= emptyNode();
    return node.star;
  }
  const known = literalChild(node, token);
  if (known !== undefined) return known;
  const next = emptyNode<T>();
  if (node.first === undefined) {
    node.token = token;
    node.first = next;
  } else {
    node.literal ??= new Map();
    node.literal.set(token, next);
  }
  return next;
}

// Iteration depth is the number of tokens, bounded by SUBJECT_BYTES_MAX / 2.
function removeAt<T>(node: Node<T>, tokens: readonly string[], depth: number, isRest: boolean, value: T): boolean {
  if (depth === tokens.length) return removeValue(node, isRest, value);
  const token = tokens[depth]!;
  const next = token === "*" ? node.star : literalChild(node, token);
  if (next === undefined || !removeAt(next, tokens, depth + 1, isRest, value)) return false;
  if (isEmpty(next)) prune(node, token);
  return true;
}

function removeValue<T>(node: Node<T>, isRest: boolean, value: T): boolean {
  const values = isRest ? node.rest : node.here;
  if (values?.delete(value) !== true) return false;
  if (values.size > 0) return true;
  if (isRest) node.rest = undefined;
  else node.here = undefined;
  return true;
}

function prune<T>(node: Node<T>, token: string): void {
  if (token === "*") node.star = undefined;
  else if (node.first !== undefined && node.token === token) {
    node.token = "";
    node.first = undefined;
  } else if (node.literal?.delete(token) === true && node.literal.size === 0) node.literal = undefined;
}

function isEmpty<T>({ first, literal, star, here, rest }: Node<T>): boolean {
  return first === undefined && literal === undefined && star === undefined && here === undefined && rest === undefined;
}

function collect<T>(node: Node<T>, tokens: readonly string[], depth: number, found: T[]): void {
  if (depth === tokens.length) {
    if (node.here !== undefined) for (const value of node.here) found.push(value);
    return;
  }
  if (node.rest !== undefined) for (const value of node.rest) found.push(value);
  const literal = literalChild(node, tokens[depth]!);
  if (literal !== undefined) collect(literal, tokens, depth + 1, found);
  if (node.star !== undefined) collect(node.star, tokens, depth + 1, found);
}
