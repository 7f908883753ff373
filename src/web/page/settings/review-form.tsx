// What is about to change, value by value, before anything is written; what that can do to whoever changes it; and the button.

import { useState } from "preact/hooks";
import { usePending } from "../shell/pending.tsx";
import { go, Link } from "../shell/route.tsx";
import { hasRole, useSession } from "../shell/session.tsx";
import { beginTrial, endTrial } from "../shell/trial.ts";
import { Button } from "../ui/button.tsx";
import { Empty } from "../ui/empty.tsx";
import { Notice } from "../ui/notice.tsx";
import { Spinner } from "../ui/spinner.tsx";
import { useToast } from "../ui/toast.tsx";
import { useText } from "../words/catalogue.ts";
import { ChangeList } from "./change-list.tsx";
import { effectiveAt } from "./edit-document.ts";
import { useForm } from "./form-context.ts";
import { MoveNotice } from "./move-notice.tsx";
import { addressAfter, originOf } from "./new-address.ts";
import { reviewWords } from "./review-words.ts";
import { useFaultWords } from "./setting-words.tsx";
import type { SettingsHandle } from "./use-settings.ts";
import { words } from "./words.ts";

const TRIAL_SECONDS = 90;

interface ReviewFormProps {
  readonly settings: SettingsHandle;
  readonly wayTo: (path: string) => string;
}

export function ReviewForm({ settings, wayTo }: ReviewFormProps) {
  const text = useText(reviewWords);
  const { judgement, checkFailure, isDirty } = settings;
  const back = <Link to="settings">{text("back")}</Link>;
  if (!isDirty) return <Empty icon="settings" title={text("nothing")} hint={text("nothing_hint")} actions={back} />;
  if (judgement !== undefined) return <Judged settings={settings} wayTo={wayTo} />;
  if (checkFailure === "") return <Spinner label={text("checking")} />;
  return <Notice tone="bad" isAlert title={<span lang="en">{checkFailure}</span>} actions={back} />;
}

function Judged({ settings, wayTo }: ReviewFormProps) {
  const text = useText(reviewWords);
  const faultText = useText(words);
  const say = useFaultWords();
  const toast = useToast();
  const { refresh } = usePending();
  const { role, memory } = useSession();
  const { root, document, faults } = useForm();
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState("");
  const { changes, risky, now, at_restart: later } = settings.judgement!;
  const isRisky = risky.length > 0;
  const isAllowed = !isRisky || hasRole(role, "owner");
  const apply = async () => {
    setBusy(true);
    setFailure("");
    try {
      // Said beforehand: the answer to a change of the page's address may be the last thing that is heard here.
      const next = risky.includes("web") ? addressAfter(effectiveAt(root, document, ["web"]), location) : undefined;
      const address = next === originOf(location) ? undefined : next;
      if (isRisky && later.length === 0) beginTrial(memory, { address, until: Date.now() + TRIAL_SECONDS * 1_000 });
      const { applied } = await settings.save();
      toast(text(applied === "now" ? "saved_now" : "saved_restart"));
      // On trial at once: this session ends in a moment and may not confirm, so it is not offered that.
      if (!isRisky || applied !== "now") await refresh();
      go("settings");
    } catch (error) {
      endTrial(memory);
      setFailure((error as Error).message);
    }
    setBusy(false);
  };
  return (
    <>
      {faults.length > 0 && (
        <Notice tone="bad" title={faultText("faults_title", { n: faults.length })}>
          <ul class="set-fault-list">
            {faults.map((fault) => (
              <li key={fault.path}>
                <Link to={wayTo(fault.at === "" ? fault.path : fault.at)}>{fault.path}</Link> {say({ ...fault, at: fault.path })}
              </li>
            ))}
          </ul>
        </Notice>
      )}
      <ChangeList changes={changes} />
      {faults.length === 0 && changes.length > 0 && (
        <p class="set-when">
          {text(later.length === 0 ? "takes_now" : now.length === 0 ? "takes_restart" : "takes_both", {
            now: now.join(", "),
            later: later.join(", "),
          })}
        </p>
      )}
      {isRisky && !isAllowed && <Notice tone="look" title={text("risky_owner", { keys: risky.join(", ") })} />}
      {isRisky && isAllowed && (
        <Notice tone="look" title={text("risky_title")}>
          <p>{text("risky_text", { n: TRIAL_SECONDS })}</p>
          {risky.includes("web") && <MoveNotice web={effectiveAt(root, document, ["web"])} />}
        </Notice>
      )}
      {failure !== "" && <Notice tone="bad" isAlert title={<span lang="en">{failure}</span>} />}
      <div class="actions set-apply">
        <Link to="settings" class="button button-plain">
          {text("back")}
        </Link>
        <Button
          kind="primary"
          busy={isBusy}
          disabled={faults.length > 0 || !isAllowed || settings.isConflict}
          onClick={() => void apply()}
        >
          {text(isRisky ? "apply_trial" : "apply")}
        </Button>
      </div>
    </>
  );
}
