// Keeps nothing: all is as safe as it will ever be, at once. For a broker without a data folder, and for tests that ask for no more.

import type { Keeping } from "./keeping.ts";

export function volatileKeeping(): Keeping {
  return {
    put: () => 0,
    delete: () => 0,
    safe: 0,
    watch: () => ({ [Symbol.dispose]: () => undefined }),
    isFull: false,
    entries: () => [],
  };
}
