// Ctrl-C and SIGTERM as an AbortSignal, so that a run ends what it started before it goes.

export function abortOnInterrupt(): AbortSignal {
  const controller = new AbortController();
  for (const [name, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    process.once(name, () => {
      process.exitCode = code;
      controller.abort(new Error(`interrupted by ${name}`));
    });
  }
  return controller.signal;
}
