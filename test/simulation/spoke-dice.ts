// Chance, from one seed. Each part of a world throws dice of its own, so that one more throw in one part does not change the others.

import { seededRandom } from "../support/seeded-random.ts";

export class Dice {
  readonly random: () => number;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  /** Dice of their own for a part. */
  fork(): Dice {
    return new Dice(Math.floor(this.random() * 2 ** 32));
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  /** 0 … end − 1. */
  upTo(end: number): number {
    return Math.floor(this.random() * end);
  }

  between(least: number, most: number): number {
    return least + this.random() * (most - least);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.upTo(items.length)]!;
  }

  /** One of the keys, by weight. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const entries = Object.entries(weights) as [K, number][];
    let rest = this.random() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [key, weight] of entries) {
      rest -= weight;
      if (rest < 0) return key;
    }
    return entries[0]![0];
  }

  bytes(count: number): Buffer {
    return Buffer.from(Array.from({ length: count }, () => this.upTo(256)));
  }
}
