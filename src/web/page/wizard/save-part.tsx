// What will change, what is wrong with it, and the one button that writes it. A restart follows where the change needs one.

import { useEffect, useState } from "preact/hooks";
import { ApiError, type ApiFault, api } from "../shell/api.ts";
import { usePending } from "../shell/pending.tsx";
import { refusalWords } from "../shell/refusal-words.ts";
import { useSession } from "../shell/session.tsx";
import { shellWords } from "../shell/words.ts";
import { Button } from "../ui/button.tsx";
import { Card } from "../ui/card.tsx";
import { Notice } from "../ui/notice.tsx";
import { useText } from "../words/catalogue.ts";
import { useColon } from "../words/colon.ts";
import { documentOf } from "./answers.ts";
import type { SettingsAnswer, StepProps } from "./wizard-view.tsx";
import { wizardWords } from "./words.ts";

interface Proposal {
  readonly faults: readonly ApiFault[];
  readonly changes: readonly { readonly path: string }[];
}

export function SavePart({ settings, answers, isSaved, saved, reload }: StepProps) {
  const text = useText(wizardWords);
  const colon = useColon();
  const shellText = useText(shellWords);
  const { refresh } = usePending();
  const { login } = useSession();
  const [proposal, setProposal] = useState<Proposal>();
  const [busy, setBusy] = useState(false);
  const [said, setSaid] = useState("");
  const [isRestarting, setRestarting] = useState(false);
  const { document, revision } = settings;
  const wanted = JSON.stringify(documentOf(document, answers));
  useEffect(() => {
    if (isSaved) return;
    let isShown = true;
    const check = api.post<Proposal>("/api/settings/check", { document: JSON.parse(wanted), revision });
    check.then(
      (answer) => isShown && setProposal(answer),
      (error: unknown) => isShown && setSaid(refusalWords(error, shellText)),
    );
    return () => {
      isShown = false;
    };
  }, [wanted, revision, isSaved, shellText, login]);

  useEffect(() => {
    setRestarting(false);
    setSaid(""); // that nobody is logged in
  }, [login]);

  const restart = async () => {
    await api.post("/api/restart");
    setRestarting(true);
  };
  const save = async () => {
    setBusy(true);
    setSaid("");
    try {
      const now = await api.put<SettingsAnswer>("/api/settings", { document: JSON.parse(wanted), revision });
      saved(now);
      await refresh();
      if (now.restart_needed) await restart();
    } catch (error) {
      const isConflict = error instanceof ApiError && error.code === "WEB_CONFLICT";
      if (isConflict) await reload();
      setSaid(isConflict ? text("conflict") : refusalWords(error, shellText));
    }
    setBusy(false);
  };
  if (isRestarting)
    return (
      <Notice tone="idle" isAlert>
        {text("restarts")}
      </Notice>
    );
  if (isSaved)
    return settings.restart_needed ? (
      <Notice
        tone="look"
        actions={
          <Button kind="primary" busy={busy} onClick={restart}>
            {shellText("restartNow")}
          </Button>
        }
      >
        {text("nothingToSave")}
      </Notice>
    ) : (
      <Notice tone="good">{text("nothingToSave")}</Notice>
    );
  const faults = proposal?.faults ?? [];
  const paths = [...new Set((proposal?.changes ?? []).map(({ path }) => path))];
  return (
    <Card title={text("toSave")}>
      {faults.length > 0 ? (
        <Notice tone="bad" title={text("faults")} isAlert>
          <ul>
            {faults.map((fault) => (
              <li key={fault.path + fault.wanted}>
                <code>{fault.path}</code>: {fault.wanted}
                {fault.remedy !== "" && ` – ${fault.remedy}`}
              </li>
            ))}
          </ul>
        </Notice>
      ) : (
        paths.length > 0 && (
          <div>
            <p>{text("changesAre") + colon}</p>
            <ul>
              {paths.map((path) => (
                <li key={path}>
                  <code>{path}</code>
                </li>
              ))}
            </ul>
          </div>
        )
      )}
      {said !== "" && (
        <Notice tone="bad" isAlert>
          {said}
        </Notice>
      )}
      <div class="actions">
        <Button kind="primary" icon="good" busy={busy} disabled={faults.length > 0} onClick={save}>
          {text("save")}
        </Button>
      </div>
    </Card>
  );
}
