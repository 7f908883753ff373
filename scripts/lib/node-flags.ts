// How the daemon is started: what Node is told, in the bundle's first line and wherever we start it beside that.

/**
 * Young generation: V8 lets it grow to 16 MiB and keeps that. Nothing lives long on our hot path, so 2 MiB do as well: RSS is 12 MiB
 * lower after a burst to 500 NATS clients, at the same processor time (src/ingress/nats/README.md, figures).
 */
const FLAGS = ["--max-semi-space-size=2"];

/**
 * glibc gives large blocks back to the system only as long as they are above a threshold that it raises by itself with each one freed:
 * two password checks at once (scrypt, 16 MiB each) so stay with the process for good. A fixed threshold keeps it: RSS is 34 MiB lower.
 */
const ENVIRONMENT = ["MALLOC_MMAP_THRESHOLD_=1048576"];

/** Arguments of `env` that start the daemon with `node`, a name or a path. */
export function daemonCommand(node: string, ...args: readonly string[]): readonly string[] {
  return [...ENVIRONMENT, node, ...FLAGS, ...args];
}
