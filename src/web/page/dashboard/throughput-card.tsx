// Messages coming in per second, by the door they come in by.

import type { HistoryReport, Row } from "#status/history-report.ts";
import { Card } from "../ui/card.tsx";
import { Plot } from "../ui/plot.tsx";
import { useText } from "../words/catalogue.ts";
import { useFormat } from "../words/format.ts";
import { words } from "./words.ts";

interface ThroughputCardProps {
  readonly shown: HistoryReport | undefined;
}

export function ThroughputCard({ shown }: ThroughputCardProps) {
  const text = useText(words);
  const format = useFormat();
  if (shown === undefined || shown.samples.at.length < 2)
    return (
      <Card class="dash-right" title={text("throughput")}>
        <p class="dash-soft">{text("no_history")}</p>
      </Card>
    );
  const { at, mqtt_in: mqtt, nats_in: nats, serial_in: serial } = shown.samples;
  const now = [
    [text("mqtt"), latest(mqtt)],
    [text("nats"), latest(nats)],
    [text("serial"), latest(serial)],
  ] as const;
  return (
    <Card class="dash-right" title={text("throughput")}>
      <Plot
        summary={`${text("throughput")}, ${text("per_second")}: ${now.map(([name, rate]) => `${name} ${format.rate(rate)}`).join(", ")}`}
        series={[
          { label: text("mqtt"), color: "accent" },
          { label: text("nats"), color: "ink", dash: true },
          { label: text("serial"), color: "look" },
        ]}
        data={[at, mqtt, nats, serial]}
        unit={format.rate}
        height={220}
      />
    </Card>
  );
}

function latest(row: Row): number {
  return row.findLast((each) => each !== null) ?? 0;
}
