// The frames of one serial port as they come, the latest first, gathered a few times a second.

import { useEffect, useRef, useState } from "preact/hooks";
import { type ApiError, api, type StreamState } from "../shell/api.ts";
import { encoded } from "./encoded.ts";

const FRAMES_MAX = 100;
const GATHER_MS = 250;

/** The event `frame` of `GET /api/serial/:name/frames`. */
export interface FrameEvent {
  readonly at: string;
  readonly size: number;
  readonly hex: string;
  readonly text: string | null;
  readonly truncated: boolean;
  /** What would be published; null: nobody said how to read it. */
  readonly decoded: readonly { readonly subject: string; readonly payload: string }[] | null;
  readonly error: string | null;
}

export interface SeenFrame extends FrameEvent {
  readonly key: number;
}

interface Frames {
  readonly shown: readonly SeenFrame[];
  readonly skipped: number;
  readonly state: StreamState;
  /** Whatever comes from here on is seen. */
  readonly isListening: boolean;
  readonly error: ApiError | undefined;
}

export function useFrames(port: string, isPaused: boolean): Frames {
  const [shown, setShown] = useState<readonly SeenFrame[]>([]);
  const [skipped, setSkipped] = useState(0);
  const [state, setState] = useState<StreamState>("opening");
  const [isListening, setListening] = useState(false);
  const [error, setError] = useState<ApiError>();
  const gathered = useRef<SeenFrame[]>([]);
  const paused = useRef(isPaused);
  paused.current = isPaused;
  useEffect(() => {
    let key = 0;
    gathered.current = [];
    setShown([]);
    setSkipped(0);
    const stream = api.stream(
      `/api/serial/${encoded(port)}/frames`,
      (event, data) => {
        if (event === "open") setListening(true);
        if (event === "skipped") setSkipped((before) => before + (data as { count: number }).count);
        if (event !== "frame") return;
        key += 1;
        gathered.current.unshift({ ...(data as FrameEvent), key });
        if (gathered.current.length > FRAMES_MAX) gathered.current.length = FRAMES_MAX;
      },
      {
        onState: (next, refusal) => {
          setState(next);
          if (next !== "open") setListening(false);
          setError(refusal);
        },
      },
    );
    const timer = setInterval(() => {
      if (paused.current || gathered.current.length === 0) return;
      const fresh = gathered.current;
      gathered.current = [];
      setShown((before) => [...fresh, ...before].slice(0, FRAMES_MAX));
    }, GATHER_MS);
    return () => {
      stream.close();
      clearInterval(timer);
    };
  }, [port]);
  return { shown, skipped, state, isListening, error };
}
