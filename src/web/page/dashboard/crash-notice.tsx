// The last run did not end well. It runs again, so it is no fault of now; but who stands before the box should know, for a day.

import type { StatusReport } from "#status/report.ts";
import { visible } from "../messages/visible.ts";
import { Notice } from "../ui/notice.tsx";
import { useText } from "../words/catalogue.ts";
import { useFormat } from "../words/format.ts";
import { crashWords } from "./crash-words.ts";

const MATTERS_SECONDS = 86_400;

export function CrashNotice({ status }: { readonly status: StatusReport }) {
  const text = useText(crashWords);
  const format = useFormat();
  const { last_crash: crash, uptime_seconds: uptime } = status;
  if (crash === undefined || uptime > MATTERS_SECONDS) return null;
  return (
    <Notice tone="look" title={text("title", { at: format.date(crash.at) })}>
      <p>{text(Object.hasOwn(crashWords, crash.kind) ? crash.kind : "bug")}</p>
      <p class="dash-soft" lang="en">
        <bdi>{visible(crash.reason, 500)}</bdi>
      </p>
    </Notice>
  );
}
