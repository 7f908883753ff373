// Two people at once: whose changes go where.

import { Button } from "../ui/button.tsx";
import { Notice } from "../ui/notice.tsx";
import { useText } from "../words/catalogue.ts";
import { reviewWords } from "./review-words.ts";
import type { SettingsHandle } from "./use-settings.ts";

export function ConflictNotice({ settings }: { readonly settings: SettingsHandle }) {
  const text = useText(reviewWords);
  return (
    <Notice
      tone="look"
      isAlert
      title={text("conflict_title")}
      actions={
        <>
          <Button onClick={() => void settings.reload()}>{text("theirs")}</Button>
          <Button kind="primary" onClick={() => void settings.putOnTop()}>
            {text("rebase")}
          </Button>
        </>
      }
    >
      {text("conflict_text")}
    </Notice>
  );
}
