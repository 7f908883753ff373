// How the daemon is started: what Node is told, in the bundle's first line and wherever we start it beside that.

/**
 * Young generation: V8 lets it grow to 16 MiB and keeps that. Nothing lives long on our hot path, so 1 MiB does as well: RSS is 12 MiB lower
 * after a burst to 500 NATS clients with 2 MiB (src/ingress/nats/README.md, figures), and 2 to 3 MiB lower again with 1, at the same
 * processor time for each MQTT message. It begins with that, since a start fills it at once.
 */
const FLAGS = ["--max-semi-space-size=1", "--min-semi-space-size=1"];

/**
 * glibc gives large blocks back to the system only as long as they are above a threshold that it raises by itself with each one freed:
 * two password checks at once (scrypt, 16 MiB each) so stay with the process for good. A fixed threshold keeps it: RSS is 34 MiB lower.
 *
 * It also gives each thread a heap of its own, whose free blocks no other thread can use; Node has a dozen threads, and one that works. One
 * heap for all: 3.5 MiB less at rest, 6 MiB less under load.
 */
const ENVIRONMENT = ["MALLOC_ARENA_MAX=1", "MALLOC_MMAP_THRESHOLD_=1048576"];

/** Arguments of `env` that start the daemon with `node`, a name or a path. */
export function daemonCommand(node: string, ...args: readonly string[]): readonly string[] {
  return [...ENVIRONMENT, node, ...FLAGS, ...args];
}
