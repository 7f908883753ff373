// Something asked of the device once, with its failure and another try.

import { useCallback, useEffect, useRef, useState } from "preact/hooks";

export interface Loaded<T> {
  readonly value: T | undefined;
  readonly failure: string;
  again(): void;
  /** The device answered a change with what is there now. */
  set(value: T): void;
}

export function useLoaded<T>(load: () => Promise<T>): Loaded<T> {
  const [value, setValue] = useState<T>();
  const [failure, setFailure] = useState("");
  const latest = useRef(load);
  latest.current = load;
  const again = useCallback(() => {
    setFailure("");
    latest.current().then(setValue, (error: unknown) => setFailure((error as Error).message));
  }, []);
  useEffect(again, [again]);
  return { value, failure, again, set: setValue };
}
