// The overview: what is wrong and what to do, then each link with its outbox, then what comes in, the devices, the flash and the box.
//
//   ┌ verdict, troubles with remedies ┐
//   ├ link and outbox, per remote ────┤   the last day as a ribbon, plots of ten minutes or a day
//   ├ messages coming in · devices ───┤
//   └ flash wear · this device ───────┘

import { Fragment } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { HistoryReport, HistorySpan } from "#status/history-report.ts";
import { useStatus } from "../shell/live.tsx";
import { Notice } from "../ui/notice.tsx";
import { View } from "../ui/view.tsx";
import { useText } from "../words/catalogue.ts";
import { BoxCard } from "./box-card.tsx";
import { CrashNotice } from "./crash-notice.tsx";
import { DevicesCard } from "./devices-card.tsx";
import { FlashCard } from "./flash-card.tsx";
import { LinkCard } from "./link-card.tsx";
import { OutboxCard } from "./outbox-card.tsx";
import { SpanChoice } from "./span-choice.tsx";
import { ThroughputCard } from "./throughput-card.tsx";
import { usePolled } from "./use-polled.ts";
import { Verdict } from "./verdict.tsx";
import { words } from "./words.ts";

const TEN_MINUTES_PERIOD_MS = 5_000;
const DAY_PERIOD_MS = 60_000;

export function DashboardView() {
  const status = useStatus();
  const text = useText(words);
  const [span, setSpan] = useState<HistorySpan>("10m");
  // The ribbon, the ledger and the flash want the day in any case.
  const day = usePolled<HistoryReport>("/api/history?span=24h", DAY_PERIOD_MS);
  const minutes = usePolled<HistoryReport>(span === "10m" ? "/api/history?span=10m" : null, TEN_MINUTES_PERIOD_MS);
  const links = status.remotes.map(({ link }) => link.state === "ready").join();
  const { refresh } = minutes;
  // A link came or went: the live data said so before the past is due.
  useEffect(refresh, [links]);
  const shown = span === "10m" ? minutes.value : day.value;
  const newest = minutes.value ?? day.value;
  const error = day.error ?? minutes.error;
  return (
    <View title={text("title")}>
      <Verdict status={status} />
      <CrashNotice status={status} />
      {error !== undefined && <Notice tone="look">{text("history_failed", { why: error.message })}</Notice>}
      <SpanChoice span={span} onChange={setSpan} />
      <div class="dash-cards">
        {status.remotes.map((remote) => (
          <Fragment key={remote.name}>
            <LinkCard remote={remote} now={status.now} day={day.value} shown={shown} moves={newest?.links[remote.name]} />
            <OutboxCard remote={remote} now={status.now} outages={newest?.outages ?? []} shown={shown} />
          </Fragment>
        ))}
        <ThroughputCard shown={shown} />
        <DevicesCard status={status} />
        <FlashCard flash={newest?.flash} />
        <BoxCard status={status} shown={shown} />
      </div>
    </View>
  );
}
