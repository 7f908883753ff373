// The one file of systeminformation that we use has no types of its own: they are those of the whole.

declare module "systeminformation/lib/memory.js" {
  export const mem: typeof import("systeminformation").mem;
}
