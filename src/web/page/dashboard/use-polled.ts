// Asks the device for something again and again while the page is looked at. What was had last stays while the next is on its way, and
// when it fails.

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { type ApiError, api } from "../shell/api.ts";

interface Polled<T> {
  readonly value: T | undefined;
  readonly error: ApiError | undefined;
  /** Asks now. */
  refresh(): void;
}

/** `path` null: asks nothing. */
export function usePolled<T>(path: string | null, periodMs: number): Polled<T> {
  const [value, setValue] = useState<T>();
  const [error, setError] = useState<ApiError>();
  const ask = useRef<() => void>(() => undefined);
  const period = useRef(periodMs);
  period.current = periodMs;
  useEffect(() => {
    setValue(undefined);
    setError(undefined);
    if (path === null) return;
    const ending = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isUnderWay = false;
    const run = async () => {
      clearTimeout(timer);
      if (isUnderWay || document.hidden) return;
      isUnderWay = true;
      try {
        setValue(await api.get<T>(path, { signal: ending.signal, isUnattended: true }));
        setError(undefined);
      } catch (cause) {
        if (ending.signal.aborted) return;
        setError(cause as ApiError);
      }
      isUnderWay = false;
      if (!ending.signal.aborted) timer = setTimeout(run, period.current);
    };
    ask.current = run;
    document.addEventListener("visibilitychange", run);
    void run();
    return () => {
      ending.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", run);
    };
  }, [path]);
  const refresh = useCallback(() => ask.current(), []);
  return { value, error, refresh };
}
