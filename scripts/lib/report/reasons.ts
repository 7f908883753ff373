// Why a target is not reached, where that was looked into: what the floor is, how it was measured, and what would change it.

const REASONS: readonly (readonly [what: RegExp, why: string])[] = [
  [
    /2,000 messages\/s in an open loop: CPU/,
    "Each message is a wake-up of its own here, and most of that is Node's: a relay that only moves bytes from TCP to TLS, without a line of " +
      "MQTT, takes nearly as much (`scripts/bench floor`, below *W4*: beside what our runtime takes at least). libuv asks the kernel twice for each " +
      "wake-up, and a read and a write pass three layers of streams. What changes it: `flush_delay` of 10 ms, which gathers (the rows of *the same*), or " +
      "a loop of its own in native code.",
  ],
  [
    /2,000 messages\/s in an open loop: latency/,
    "The same wake-ups: of a third of a millisecond from device to subscriber, a tenth is Node's way from one socket to the other, and load, hub " +
      "and subscriber share a processor for most of the rest. Rounds differ by more than the systems do (p99 of ours 0.6 to 4 ms in one run).",
  ],
  [
    /2,000 messages\/s in an open loop: RSS/,
    "Measured after the saturated workload in the same process, whose blocks V8 and glibc keep; without it, see the floor's row (RSS beside a Node " +
      "that only moves bytes). Over half is the Node binary's own pages, which the kernel takes back when it needs them (`image/README.md`, Memory).",
  ],
  [
    /^idle: RSS/,
    "57 MiB are there before a line of ours, 7.5 for the thread that watches; 29 MiB of all are not the Node binary's own pages. " +
      "`image/README.md`, Memory, tells what each part takes and what was tried. What would change it: a smaller runtime, or no watchdog of its own.",
  ],
  [
    /^start with 0 queued: MQTT lets a device in/,
    "The machine's own speed decides: the same start on one processor of it lets a device in after 250 ms at some hours and after 370 to 490 at others " +
      "(MQTT listens after 180 and 270), while a bare Node that listens and does nothing takes 70 to 80. Between them lie reading the program " +
      "(what Node compiled of it is kept, `src/compiled.ts`), settings, stores and doors. What would change it: a start-up snapshot for each board " +
      "(`image/README.md`, Memory).",
  ],
  [
    /^not attacked|^attacked by/,
    "The attacker shares the processor with hub and device; see the figures of nats-server beside it.",
  ],
];

/** undefined: nobody has looked into it. */
export function reasonOf(what: string): string | undefined {
  return REASONS.find(([pattern]) => pattern.test(what))?.[1];
}
