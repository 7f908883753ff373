// What the wizard remembers while its user logs in anew after the restart that brings the settings into force. In the page's memory only:
// passwords of devices are among it. It goes with the page, with a log-out, and when somebody else logs in (shell/gate.tsx).

import { useState } from "preact/hooks";
import { useSession } from "../shell/session.tsx";

/** A state that outlives the component. */
export function useMemory<T>(name: string, first: () => T): readonly [T, (value: T) => void] {
  const { memory } = useSession();
  const [value, setValue] = useState<T>(() => (memory.has(name) ? (memory.get(name) as T) : first()));
  const set = (next: T) => {
    memory.set(name, next);
    setValue(next);
  };
  return [value, set];
}
