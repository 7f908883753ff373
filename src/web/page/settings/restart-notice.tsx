// The device runs with earlier settings than those that are written: a restart brings them into force.

import { useState } from "preact/hooks";
import { api } from "../shell/api.ts";
import { Button } from "../ui/button.tsx";
import { Notice } from "../ui/notice.tsx";
import { useText } from "../words/catalogue.ts";
import { reviewWords } from "./review-words.ts";

export function RestartNotice() {
  const text = useText(reviewWords);
  const [state, setState] = useState<"asking" | "restarting">("asking");
  const [failure, setFailure] = useState("");
  const restart = async () => {
    setState("restarting");
    setFailure("");
    try {
      await api.post("/api/restart");
    } catch (error) {
      setState("asking");
      setFailure((error as Error).message);
    }
  };
  return (
    <Notice
      tone="look"
      title={text(state === "restarting" ? "restarting" : "restart_title")}
      actions={
        <Button kind="primary" icon="refresh" busy={state === "restarting"} onClick={() => void restart()}>
          {text("restart")}
        </Button>
      }
    >
      {failure === "" ? text("restart_text") : failure}
    </Notice>
  );
}
