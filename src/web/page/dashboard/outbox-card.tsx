// One outbox: what waits and until when, per class, and the ledger: what became of each outage, and what was lost why.

import type { HistoryReport, OutageReport } from "#status/history-report.ts";
import type { LaneReport, RemoteReport } from "#status/report.ts";
import { visible } from "../messages/visible.ts";
import { Card } from "../ui/card.tsx";
import { Plot } from "../ui/plot.tsx";
import { Stat } from "../ui/stat.tsx";
import { useText } from "../words/catalogue.ts";
import { useFormat } from "../words/format.ts";
import { outboxSentence } from "./forecast.ts";
import { isWorthTelling, lossSentence, outageSentence, summedLosses } from "./ledger.ts";
import { ledgerWords, outboxWords } from "./outbox-words.ts";
import { ToneLine } from "./tone-line.tsx";

const OUTAGES_SHOWN = 12;

interface OutboxCardProps {
  readonly remote: RemoteReport;
  readonly now: string;
  /** Of all remotes, oldest first. */
  readonly outages: readonly OutageReport[];
  readonly shown: HistoryReport | undefined;
}

export function OutboxCard({ remote, now, outages, shown }: OutboxCardProps) {
  const text = useText(outboxWords);
  const format = useFormat();
  const { outbox, link } = remote;
  const { key, values } = outboxSentence(outbox, link.state === "ready", format);
  const depth = shown?.samples.depth[remote.name];
  const hasDepth = depth?.some((each) => (each ?? 0) > 0) === true;
  const lanes = outbox.lanes.filter((lane) => lane.last_seq > 0 || lane.depth > 0);
  return (
    <Card class="dash-right" title={text("title", { name: visible(remote.name) })} lead={text(key, values)}>
      {outbox.held > 0 && <p>{text("held", { n: outbox.held })}</p>}
      <div class="dash-stats">
        <Stat label={text("waits")} value={format.count(outbox.depth)} />
        <Stat label={text("sent")} value={format.count(outbox.delivered)} />
        <Stat label={text("size")} value={format.bytes(outbox.flash_bytes)} />
      </div>
      {hasDepth && (
        <figure class="dash-figure">
          <figcaption>{text("growth")}</figcaption>
          <Plot
            summary={`${text("growth")}: ${format.count(outbox.depth)}`}
            series={[{ label: text("growth"), color: "accent", fill: true }]}
            data={[shown!.samples.at, depth!]}
            unit={format.count}
            height={140}
          />
        </figure>
      )}
      {lanes.length > 0 && <Lanes lanes={lanes} isReady={link.state === "ready"} />}
      <Ledger outages={outages.filter((each) => each.remote === remote.name)} remote={remote} now={now} />
    </Card>
  );
}

function Lanes({ lanes, isReady }: { readonly lanes: readonly LaneReport[]; readonly isReady: boolean }) {
  const text = useText(outboxWords);
  const format = useFormat();
  return (
    <div class="dash-lanes">
      <h3>{text("lanes")}</h3>
      <ul>
        {lanes.map((lane) => {
          const { key, values } = outboxSentence(lane, isReady, format);
          const name = Object.hasOwn(outboxWords, lane.class) ? text(lane.class as keyof typeof outboxWords) : lane.class;
          return (
            <li key={lane.class}>
              <b>{name}</b>
              <span>
                {text(key, values)}
                {lane.held > 0 && ` ${text("held", { n: lane.held })}`}
                {oldest(lane) > 0 && ` ${text("oldest", { age: format.duration(oldest(lane)) })}`}
              </span>
              <span class="dash-soft">
                {text("delivered", { n: lane.delivered })} · {text("on_flash", { bytes: format.bytes(lane.flash_bytes) })}
              </span>
            </li>
          );
        })}
      </ul>
    </div>
  );
}

/** Younger ones are on their way. */
const OLD_SECONDS = 10;

/** In milliseconds; 0: not worth a word. */
function oldest({ depth, oldest_seconds = null }: LaneReport): number {
  return depth > 0 && oldest_seconds !== null && oldest_seconds >= OLD_SECONDS ? oldest_seconds * 1000 : 0;
}

interface LedgerProps {
  readonly outages: readonly OutageReport[];
  readonly remote: RemoteReport;
  readonly now: string;
}

function Ledger({ outages, remote, now }: LedgerProps) {
  const text = useText(ledgerWords);
  const format = useFormat();
  const latest = outages.filter(isWorthTelling).slice(-OUTAGES_SHOWN).reverse();
  const losses = summedLosses(remote.outbox.losses);
  return (
    <div class="dash-ledger">
      <h3>{text("title")}</h3>
      {latest.length === 0 && remote.link.state === "ready" && <p class="dash-soft">{text("none")}</p>}
      <ul>
        {latest.map((outage) => (
          <li key={`${outage.from}`}>
            <ToneLine tone={outage.lost > 0 ? "bad" : outage.to === null ? "look" : "good"}>
              {outageSentence(outage, text, format, now)}
            </ToneLine>
          </li>
        ))}
      </ul>
      {losses.length > 0 && (
        <>
          <h3>{text("losses")}</h3>
          <ul>
            {losses.map((loss) => (
              <li key={`${loss.reason} ${loss.class}`}>
                {lossSentence(loss.reason, loss.messages, text)}{" "}
                <span class="dash-soft">({text("last", { at: format.date(loss.last_time) })})</span>
              </li>
            ))}
          </ul>
        </>
      )}
    </div>
  );
}
