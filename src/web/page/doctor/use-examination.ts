// Runs an examination and tells what comes in. One that nobody looks at any more is ended.

import { useEffect, useRef, useState } from "preact/hooks";
import { api, type Stream } from "../shell/api.ts";
import { type Examination, hear, IDLE } from "./examination.ts";

export interface Examiner {
  readonly examination: Examination;
  /** `remote`: only the steps to this hub, which need not be in the settings. */
  run(remote?: unknown): void;
  stop(): void;
}

export function useExamination(): Examiner {
  const [examination, setExamination] = useState(IDLE);
  const stream = useRef<Stream>(undefined);
  useEffect(() => () => stream.current?.close(), []);
  return {
    examination,
    run(remote) {
      stream.current?.close();
      setExamination({ ...IDLE, state: "running" });
      stream.current = api.stream("/api/doctor", (event, data) => setExamination((now) => hear(now, event, data)), {
        method: "POST",
        body: remote === undefined ? {} : { remote },
        onState(state, error) {
          if (state === "refused") setExamination((now) => ({ ...now, state: "failed", failure: error?.message ?? "" }));
          if (state === "ended") setExamination((now) => (now.state === "running" ? { ...now, state: "stopped" } : now));
        },
      });
    },
    stop() {
      stream.current?.close();
      setExamination((now) => ({ ...now, state: "stopped" }));
    },
  };
}
