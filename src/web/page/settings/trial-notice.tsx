// While a change waits for its confirmation (the shell counts down, above every view): where the page will be. And when that has ended,
// the settings are looked at anew: they may be the earlier ones.

import { useEffect, useRef } from "preact/hooks";
import { usePending } from "../shell/pending.tsx";
import { Notice } from "../ui/notice.tsx";
import { effectiveAt } from "./edit-document.ts";
import { MoveNotice } from "./move-notice.tsx";
import { addressAfter, originOf } from "./new-address.ts";
import type { SettingsHandle } from "./use-settings.ts";

export function TrialNotice({ settings }: { readonly settings: SettingsHandle }) {
  const { pending } = usePending();
  const had = useRef(pending);
  const { root, answer, isDirty, reload } = settings;
  useEffect(() => {
    const ended = had.current !== undefined && pending === undefined;
    had.current = pending;
    if (ended && !isDirty) reload().catch(() => undefined); // the device is away: the shell says so
  }, [pending, isDirty, reload]);
  if (pending === undefined) return null;
  const web = effectiveAt(root, answer.document, ["web"]);
  if (addressAfter(web, location) === originOf(location)) return null;
  return (
    <Notice tone="look">
      <MoveNotice web={web} />
    </Notice>
  );
}
