// What the visitor's signals mean: the first Ctrl-C, once the sources speak, asks for the end of the play, with draining and final
// count. Every other one, and SIGTERM and SIGHUP at any time, end it at once. Either way everything that was started goes too.

export interface Interrupts {
  /** Aborted when the play is to come to its end. */
  readonly finish: AbortSignal;
  /** Aborted when it is to stop where it stands. */
  readonly stop: AbortSignal;
  /** From here on the first Ctrl-C means the end of the play. */
  allowFinish(): void;
  /** Set once a signal has ended it at once. */
  readonly exitCode: number | undefined;
}

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

export function listenForInterrupts(): Interrupts {
  const finish = new AbortController();
  const stop = new AbortController();
  let mayFinish = false;
  let exitCode: number | undefined;
  const onSignal = (name: keyof typeof EXIT_CODES) => {
    if (name === "SIGINT" && mayFinish && !finish.signal.aborted) {
      finish.abort();
      return;
    }
    exitCode ??= EXIT_CODES[name];
    stop.abort(new Error(`stopped by ${name}`));
  };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, onSignal);
  for (const stream of [process.stdout, process.stderr])
    stream.on("error", (cause) => stop.abort(new Error(`nobody reads what the demo says: ${cause.message}`, { cause }))); // | head
  return {
    finish: finish.signal,
    stop: stop.signal,
    allowFinish: () => {
      mayFinish = true;
    },
    get exitCode() {
      return exitCode;
    },
  };
}
