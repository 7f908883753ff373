// The messages that pass, for as long as this is shown: the latest few hundred, gathered a few times a second so that a fast stream
// does not draw the page for each.
//
//   events ─▶ gathered ── every GATHER_MS ──▶ shown (MESSAGES_MAX, latest first)
//                 └─ paused: they wait here, MESSAGES_MAX of them, the rest forgotten

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { type ApiError, api, type StreamState } from "../shell/api.ts";
import { type MessageEvent, type SeenMessage, seen } from "./seen-message.ts";

const MESSAGES_MAX = 500;
const GATHER_MS = 250;

interface Messages {
  readonly shown: readonly SeenMessage[];
  /** Came since the pause. */
  readonly meanwhile: number;
  /** Passed, and could not be shown. */
  readonly skipped: number;
  readonly state: StreamState;
  readonly error: ApiError | undefined;
  clear(): void;
}

export function useMessages(filter: string, isPaused: boolean): Messages {
  const [shown, setShown] = useState<readonly SeenMessage[]>([]);
  const [meanwhile, setMeanwhile] = useState(0);
  const [skipped, setSkipped] = useState(0);
  const [state, setState] = useState<StreamState>("opening");
  const [error, setError] = useState<ApiError>();
  const gathered = useRef<SeenMessage[]>([]);
  const came = useRef({ count: 0, key: 0 });
  const paused = useRef(isPaused);
  paused.current = isPaused;

  useEffect(() => {
    gathered.current = [];
    setShown([]);
    setSkipped(0);
    setState("opening"); // what passes before the device knows what is wanted is not seen
    const stream = api.stream(
      `/api/messages?subject=${encodeURIComponent(filter)}`,
      (event, data) => {
        if (event === "skipped") setSkipped((before) => before + (data as { count: number }).count);
        if (event !== "message") return;
        came.current.key += 1;
        came.current.count += 1;
        gathered.current.unshift(seen(data as MessageEvent, came.current.key));
        if (gathered.current.length > MESSAGES_MAX) gathered.current.length = MESSAGES_MAX;
      },
      {
        onState: (next, refusal) => {
          setState(next);
          setError(refusal);
        },
      },
    );
    return () => stream.close();
  }, [filter]);

  useEffect(() => {
    if (isPaused) came.current.count = 0;
    const gather = () => {
      if (paused.current) {
        setMeanwhile(came.current.count);
        return;
      }
      const fresh = gathered.current;
      if (fresh.length === 0) return;
      gathered.current = [];
      setShown((before) => [...fresh, ...before].slice(0, MESSAGES_MAX));
    };
    gather();
    const timer = setInterval(gather, GATHER_MS);
    return () => clearInterval(timer);
  }, [isPaused]);

  const clear = useCallback(() => {
    gathered.current = [];
    came.current.count = 0;
    setShown([]);
    setMeanwhile(0);
    setSkipped(0);
  }, []);
  return { shown, meanwhile, skipped, state, error, clear };
}
