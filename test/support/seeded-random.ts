// Random numbers from a seed, for tests and simulations that must be replayed: same seed, same numbers.

/** Uniform in [0, 1). The generator is the one known as mulberry32: 32 bits of state, good enough to be cruel with. */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}
