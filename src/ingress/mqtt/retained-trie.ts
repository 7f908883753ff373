// Finds what matches a filter among literal subjects without looking at the others: the other way round than core/interest.ts.
//
//   filter  plant.*.temp        (root) ── plant ─┬─ 7 ─┬─ temp  ●          visited: root, plant, 7, 9, and their "temp"
//                                                │     └─ hum   ●          not: hum, and whatever stands beside plant
//                                                └─ 9 ─── temp  ●
//
// Most nodes have one child or none, and a map of one takes 190 bytes: the first child stands in its parent.
//
// Iterative: a subject of a thousand tokens is a long walk and not a deep stack. `matches` is lazy and may be left half-way; what comes
// and goes between two steps may be seen or not, what stays is seen once. Tests: test/unit/ingress/mqtt/retained-trie.test.ts

interface Node<T> {
  /** What its parent knows it by. */
  readonly token: string;
  /** One, more of them by token, or none. */
  children: Node<T> | Map<string, Node<T>> | undefined;
  value: T | undefined;
}

interface Step<T> {
  readonly nodes: Iterator<Node<T>>;
  /** Which token of the filter these nodes stand for is behind them. */
  readonly depth: number;
}

export class RetainedTrie<T extends object> {
  readonly #root: Node<T> = { token: "", children: undefined, value: undefined };

  get(subject: string): T | undefined {
    let node: Node<T> | undefined = this.#root;
    for (const token of subject.split(".")) {
      node = childOf(node, token);
      if (node === undefined) return undefined;
    }
    return node.value;
  }

  set(subject: string, value: T): void {
    let node = this.#root;
    for (const token of subject.split(".")) {
      let next = childOf(node, token);
      if (next === undefined) {
        next = { token, children: undefined, value: undefined };
        addChild(node, next);
      }
      node = next;
    }
    node.value = value;
  }

  /** Takes it out, and the branches that lead nowhere then. */
  delete(subject: string): void {
    const tokens = subject.split(".");
    const path = [this.#root];
    for (const token of tokens) {
      const next = childOf(path.at(-1)!, token);
      if (next === undefined) return;
      path.push(next);
    }
    path.at(-1)!.value = undefined;
    for (let depth = tokens.length; depth > 0; depth--) {
      const node = path[depth]!;
      if (node.value !== undefined || node.children !== undefined) return;
      removeChild(path[depth - 1]!, node);
    }
  }

  /**
   * Values of subjects that fall under the valid `filter`. One that begins with a wildcard never finds what begins with `$`
   * [MQTT-4.7.2-1].
   */
  *matches(filter: string): Generator<T, undefined> {
    const tokens = filter.split(".");
    const steps: Step<T>[] = [{ nodes: this.#begin(tokens[0]!), depth: 1 }];
    while (steps.length > 0) {
      const step = steps.at(-1)!;
      const { done, value: node } = step.nodes.next();
      if (done === true) {
        steps.pop();
        continue;
      }
      const isRest = tokens[step.depth - 1] === ">";
      if ((isRest || step.depth === tokens.length) && node.value !== undefined) yield node.value;
      if (isRest) {
        if (node.children !== undefined) steps.push({ nodes: childrenOf(node), depth: step.depth });
      } else if (step.depth < tokens.length) {
        const nodes = below(node, tokens[step.depth]!);
        if (nodes !== undefined) steps.push({ nodes, depth: step.depth + 1 });
      }
    }
    return undefined;
  }

  #begin(token: string): Iterator<Node<T>> {
    const root = this.#root;
    return isWild(token) ? visible(childrenOf(root)) : only(childOf(root, token));
  }
}

function isWild(token: string): boolean {
  return token === "*" || token === ">";
}

function childOf<T>({ children }: Node<T>, token: string): Node<T> | undefined {
  if (children instanceof Map) return children.get(token);
  return children?.token === token ? children : undefined;
}

function addChild<T>(parent: Node<T>, child: Node<T>): void {
  const { children } = parent;
  if (children === undefined) parent.children = child;
  else if (children instanceof Map) children.set(child.token, child);
  else {
    parent.children = new Map([
      [children.token, children],
      [child.token, child],
    ]);
  }
}

function removeChild<T>(parent: Node<T>, child: Node<T>): void {
  if (!(parent.children instanceof Map)) parent.children = undefined;
  else if (parent.children.delete(child.token) && parent.children.size === 0) parent.children = undefined;
}

function childrenOf<T>({ children }: Node<T>): Iterator<Node<T>> & Iterable<Node<T>> {
  return children instanceof Map ? children.values() : only(children);
}

function below<T>(node: Node<T>, token: string): Iterator<Node<T>> | undefined {
  if (node.children === undefined) return undefined;
  return isWild(token) ? childrenOf(node) : only(childOf(node, token));
}

function only<T>(node: Node<T> | undefined): Iterator<Node<T>> & Iterable<Node<T>> {
  return (node === undefined ? [] : [node]).values();
}

function* visible<T>(nodes: Iterable<Node<T>>): Generator<Node<T>> {
  for (const node of nodes) if (!node.token.startsWith("$")) yield node;
}
