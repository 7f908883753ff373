// Something asked of the device once, and again after a login; with its failure and another try.

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { useSession } from "../shell/session.tsx";

export interface Loaded<T> {
  readonly value: T | undefined;
  readonly failure: string;
  again(): void;
  /** The device answered a change with what is there now. */
  set(value: T): void;
}

export function useLoaded<T>(load: () => Promise<T>): Loaded<T> {
  const { login } = useSession();
  const [value, setValue] = useState<T>();
  const [failure, setFailure] = useState("");
  const latest = useRef(load);
  latest.current = load;
  const again = useCallback(() => {
    setFailure("");
    latest.current().then(setValue, (error: unknown) => setFailure((error as Error).message));
  }, []);
  useEffect(again, [again, login]);
  return { value, failure, again, set: setValue };
}
