// The device runs with earlier settings than those that are written: a restart brings them into force.

import { useEffect, useState } from "preact/hooks";
import { api } from "../shell/api.ts";
import { useSession } from "../shell/session.tsx";
import { Button } from "../ui/button.tsx";
import { Notice } from "../ui/notice.tsx";
import { useText } from "../words/catalogue.ts";
import { reviewWords } from "./review-words.ts";

interface RestartNoticeProps {
  /** Why, where it is more than settings that were saved. */
  readonly title?: string;
}

export function RestartNotice({ title }: RestartNoticeProps) {
  const text = useText(reviewWords);
  const [state, setState] = useState<"asking" | "restarting">("asking");
  const [failure, setFailure] = useState("");
  const { login } = useSession();
  useEffect(() => setState("asking"), [login]);
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
      title={state === "restarting" ? text("restarting") : (title ?? text("restart_title"))}
      actions={
        <Button kind="primary" icon="refresh" busy={state === "restarting"} onClick={() => void restart()}>
          {text("restart")}
        </Button>
      }
    >
      {failure === "" ? text("restart_text") : <span lang="en">{failure}</span>}
    </Notice>
  );
}
