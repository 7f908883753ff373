// One stream of live data for the whole page. The device sends its status every two seconds; after six without any, or as soon as a
// new stream cannot be had either, the page says that what it shows is old. It goes on trying by itself.

import { type ComponentChildren, createContext } from "preact";
import { useContext, useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { StatusReport } from "#status/report.ts";
import { type ApiError, api } from "./api.ts";
import { useSession } from "./session.tsx";

const STALE_MS = 6_000;
/** The stream that broke off, and the next one that could not be opened. */
const LOST_MAX = 2;

type Listener = (data: unknown) => void;

interface Live {
  readonly status: StatusReport | undefined;
  readonly isStale: boolean;
  /** The device has ended the session, and nothing came since: it will ask for a login, or is to be found elsewhere. */
  readonly hasEnded: boolean;
  /** Why nothing comes, when the device said so. */
  readonly refusal: ApiError | undefined;
  /** When the last report was heard, by the browser's clock; 0: never. */
  readonly heardAt: number;
  listen(event: string, listener: Listener): () => void;
}

const LiveContext = createContext<Live | undefined>(undefined);

export function LiveProvider({ children }: { readonly children: ComponentChildren }) {
  const [status, setStatus] = useState<StatusReport>();
  const [isStale, setStale] = useState(false);
  const [hasEnded, setEnded] = useState(false);
  const [refusal, setRefusal] = useState<ApiError>();
  const [heardAt, setHeardAt] = useState(0);
  const listeners = useRef(new Map<string, Set<Listener>>());

  // A new stream at once after a login, however long the last one was about to wait.
  const { login } = useSession();
  useEffect(() => {
    setStale(false);
    let timer = 0;
    const wait = () => {
      clearTimeout(timer);
      timer = window.setTimeout(() => setStale(true), STALE_MS);
    };
    wait();
    let lost = 0;
    const stream = api.stream(
      "/api/events",
      (event, data) => {
        if (event === "status") {
          setStatus(data as StatusReport);
          setHeardAt(Date.now());
          setStale(false);
          setEnded(false);
          setRefusal(undefined);
          wait();
        }
        if (event === "end") setEnded(true);
        for (const listener of listeners.current.get(event) ?? []) listener(data);
      },
      {
        onState: (state, error) => {
          if (state === "open") lost = 0;
          if (state === "lost") lost += 1;
          if (lost >= LOST_MAX) setStale(true);
          if (state === "lost" || state === "refused") setRefusal(error);
        },
      },
    );
    return () => {
      clearTimeout(timer);
      stream.close();
    };
  }, [login]);

  const listen = useMemo(
    () => (event: string, listener: Listener) => {
      const those = listeners.current.get(event) ?? new Set();
      listeners.current.set(event, those.add(listener));
      return () => void those.delete(listener);
    },
    [],
  );
  return <LiveContext.Provider value={{ status, isStale, hasEnded, refusal, heardAt, listen }}>{children}</LiveContext.Provider>;
}

export function useLive(): Live {
  const live = useContext(LiveContext);
  if (live === undefined) throw new Error("used outside of the live data");
  return live;
}

/** Views are shown only once there is one. */
export function useStatus(): StatusReport {
  return useLive().status!;
}

/** Nothing heard for six seconds: the shell shows a banner by itself. */
export function useStale(): boolean {
  return useLive().isStale;
}

/** Hears an event of the live stream (`log`, …) while the component is shown. */
export function useLiveEvent(event: string, listener: (data: unknown) => void): void {
  const { listen } = useLive();
  const latest = useRef(listener);
  latest.current = listener;
  useEffect(() => listen(event, (data) => latest.current(data)), [listen, event]);
}
