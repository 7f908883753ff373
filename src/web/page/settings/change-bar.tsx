// At the foot while something is changed: how much, what is wrong with it, and the way on. It stays in sight.

import { useState } from "preact/hooks";
import { go, Link } from "../shell/route.tsx";
import { Button } from "../ui/button.tsx";
import { ConfirmDialog } from "../ui/confirm-dialog.tsx";
import { Icon } from "../ui/icon.tsx";
import { useRoom } from "../ui/make-room.ts";
import { useText } from "../words/catalogue.ts";
import type { PlacedFault } from "./place-faults.ts";
import type { SettingsHandle } from "./use-settings.ts";
import { words } from "./words.ts";

interface ChangeBarProps {
  readonly settings: SettingsHandle;
  readonly faults: readonly PlacedFault[];
  /** Nothing is half typed. */
  readonly isReady: boolean;
  /** The document is on the screen as text, and its mistakes stand below it. */
  readonly isText: boolean;
  readonly wayTo: (path: string) => string;
}

export function ChangeBar({ settings, faults, isReady, isText, wayTo }: ChangeBarProps) {
  const text = useText(words);
  const [asks, setAsks] = useState(false);
  const room = useRoom("--room-foot");
  if (!settings.isDirty) return null;
  const { judgement, checkFailure } = settings;
  const state =
    judgement === undefined
      ? checkFailure === ""
        ? text("checking")
        : `${text("check_failed")}: ${checkFailure}`
      : text("changes", { n: judgement.changes.length });
  return (
    <section class="set-bar" ref={room} aria-label={text("bar")}>
      <p class="set-bar-words" role="status">
        {faults.length > 0 ? (
          <>
            <Icon name="bad" /> {text("faults_title", { n: faults.length })}
          </>
        ) : (
          state
        )}
      </p>
      <div class="actions">
        <Button onClick={() => setAsks(true)}>{text("discard")}</Button>
        {faults.length > 0 && !isText ? (
          <Link to={wayTo(faults[0]!.at === "" ? faults[0]!.path : faults[0]!.at)} class="button button-primary">
            {text("show_fault")}
          </Link>
        ) : (
          <Button
            kind="primary"
            disabled={judgement === undefined || !isReady || faults.length > 0}
            onClick={() => go("settings/review")}
          >
            {text("review")}
          </Button>
        )}
      </div>
      {asks && (
        <ConfirmDialog
          title={text("discard_title")}
          confirm={text("discard")}
          isDanger
          onCancel={() => setAsks(false)}
          onConfirm={() => {
            setAsks(false);
            settings.discard();
          }}
        >
          <p>{text("discard_text")}</p>
        </ConfirmDialog>
      )}
    </section>
  );
}
