// The device itself: how long it runs, what it uses, its clock and its firewall.

import type { HistoryReport } from "#status/history-report.ts";
import type { StatusReport } from "#status/report.ts";
import { Raw } from "../messages/raw.tsx";
import { Badge } from "../ui/badge.tsx";
import { Card } from "../ui/card.tsx";
import { Facts } from "../ui/facts.tsx";
import { useText } from "../words/catalogue.ts";
import { useFormat } from "../words/format.ts";
import { words } from "./words.ts";

interface BoxCardProps {
  readonly status: StatusReport;
  readonly shown: HistoryReport | undefined;
}

const FILTER_TONES = { applied: "good", failing: "bad", off: "idle" } as const;

export function BoxCard({ status, shown }: BoxCardProps) {
  const text = useText(words);
  const format = useFormat();
  const { clock, packet_filter: filter } = status;
  const cpu = shown?.samples.cpu_percent.findLast((each) => each !== null) ?? null;
  return (
    <Card class="dash-right" title={text("box")}>
      <Facts
        items={[
          [text("name"), <Raw key="name" text={status.server_name} />],
          [text("uptime"), format.duration(status.uptime_seconds * 1_000)],
          [text("memory"), format.bytes(status.rss_bytes)],
          ...(cpu === null ? [] : [[text("processor"), format.percent(cpu / 100)] as const]),
          ...(clock === undefined
            ? []
            : [
                [
                  text("clock"),
                  <span key="clock">
                    {format.date(status.now)}{" "}
                    <Badge tone={clock.trusted && clock.fault === null ? "good" : "look"}>
                      {text(clock.trusted && clock.fault === null ? "clock_trusted" : "clock_untrusted")}
                    </Badge>
                  </span>,
                ] as const,
              ]),
          ...(filter === undefined
            ? []
            : [
                [
                  text("filter"),
                  <Badge key="filter" tone={FILTER_TONES[filter.state]}>
                    {text(`filter_${filter.state}`)}
                  </Badge>,
                ] as const,
              ]),
          [text("version"), status.version],
        ]}
      />
    </Card>
  );
}
