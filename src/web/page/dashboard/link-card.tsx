// One link: its state in a sentence, its last day as a ribbon, how fast the hub answers, what compression saves, and the hub's addresses.

import { useContext } from "preact/hooks";
import type { HistoryReport, HistorySamples, LinkMoveReport, Row } from "#status/history-report.ts";
import type { LinkReport, RemoteReport } from "#status/report.ts";
import { Raw } from "../messages/raw.tsx";
import { visible } from "../messages/visible.ts";
import { Badge, type Tone } from "../ui/badge.tsx";
import { Card } from "../ui/card.tsx";
import { Facts } from "../ui/facts.tsx";
import { Notice } from "../ui/notice.tsx";
import { Plot } from "../ui/plot.tsx";
import { useText } from "../words/catalogue.ts";
import { type Format, useFormat } from "../words/format.ts";
import { LanguageContext } from "../words/languages.ts";
import { LinkRibbon } from "./link-ribbon.tsx";
import { linkSentence } from "./link-sentence.ts";
import { linkWords, phaseWords } from "./link-words.ts";
import { words } from "./words.ts";

interface LinkCardProps {
  readonly remote: RemoteReport;
  /** The device's clock. */
  readonly now: string;
  readonly day: HistoryReport | undefined;
  readonly shown: HistoryReport | undefined;
  readonly moves: readonly LinkMoveReport[] | undefined;
}

const TONES = { up: "good", trying: "look", down: "bad", unknown: "idle" } as const satisfies Record<string, Tone>;

export function LinkCard({ remote, now, day, shown, moves }: LinkCardProps) {
  const text = useText(words);
  const sentences = useText(linkWords);
  const phases = useText(phaseWords);
  const format = useFormat();
  const { language } = useContext(LanguageContext);
  const rttOf = (ms: number) => `${ms.toLocaleString(language, { maximumSignificantDigits: 3 })} ms`;
  const { link } = remote;
  const { phase, key, values } = linkSentence(link, format);
  const rtt = shown?.samples.rtt_ms[remote.name];
  const hasRtt = (rtt?.filter((each) => each !== null).length ?? 0) > 1;
  return (
    <Card
      class="dash-left"
      title={text("link_to", { name: visible(remote.name) })}
      lead={sentences(key, values)}
      actions={<Badge tone={link.state === "stopped" ? "idle" : TONES[phase]}>{phases(phase)}</Badge>}
    >
      {link.isolation_fault !== null && (
        <Notice tone="look" title={text("isolation")}>
          <span lang="en">{visible(link.isolation_fault, 1_000)}</span>
        </Notice>
      )}
      <LinkRibbon moves={moves ?? day?.links[remote.name] ?? []} now={now} />
      {hasRtt && (
        <figure class="dash-figure">
          <figcaption>{text("answer_time")}</figcaption>
          <Plot
            summary={`${text("answer_time")}: ${link.rtt_ms === null ? "–" : format.milliseconds(link.rtt_ms)}`}
            series={[{ label: text("answer_time"), color: "accent" }]}
            data={[shown!.samples.at, rtt!]}
            unit={rttOf}
            height={140}
          />
        </figure>
      )}
      {(shown?.samples.at.length ?? 0) > 1 && <Traffic name={remote.name} samples={shown!.samples} />}
      <Facts
        items={[
          [text("sent"), traffic(link.bytes_out, link.plain_bytes_out, link, text, format)],
          [text("received"), traffic(link.bytes_in, link.plain_bytes_in, link, text, format)],
          ...(phase === "up" ? connected(link, text) : []),
          [text("reconnects"), format.count(link.connects)],
        ]}
      />
      <Addresses link={link} />
    </Card>
  );
}

/** What goes to the hub, as it was and as it is sent. */
function Traffic({ name, samples }: { readonly name: string; readonly samples: HistorySamples }) {
  const text = useText(words);
  const format = useFormat();
  const wire = samples.bytes_out[name];
  const plain = samples.plain_bytes_out[name];
  if (wire === undefined || plain === undefined) return null;
  const last = (row: Row) => format.bytesPerSecond(row.findLast((each) => each !== null) ?? 0);
  return (
    <figure class="dash-figure">
      <figcaption>{text("sending")}</figcaption>
      <Plot
        summary={`${text("sending")}: ${text("before")} ${last(plain)}, ${text("after")} ${last(wire)}`}
        series={[
          { label: text("before"), color: "idle", dash: true },
          { label: text("after"), color: "accent", fill: true },
        ]}
        data={[samples.at, plain, wire]}
        unit={format.bytesPerSecond}
        height={140}
      />
    </figure>
  );
}

type Texts = ReturnType<typeof useText<typeof words>>;

function connected(link: LinkReport, text: Texts) {
  const hub = [link.hub_name, link.hub_version, link.hub_cluster].filter((each) => each !== null).join(" · ");
  const { compression } = link;
  const how = compression === null ? "–" : [compression.mode, compression.level].filter((each) => each !== null).join(", ");
  return [
    [text("hub"), <Raw key="hub" text={hub === "" ? "–" : hub} />],
    [text("compression"), <span key="compression">{how}</span>],
    [
      text("encryption"),
      <Badge key="badge" tone={link.tls ? "good" : "look"}>
        {text(link.tls ? "encrypted" : "clear")}
      </Badge>,
    ],
    [text("listens"), <span key="listens">{link.hub_interest}</span>],
  ] as const;
}

/** Saving less than this is not worth a sentence. */
const SAVING_MIN = 0.1;

/** "1.2 MB made 340 kB small: 72 % saved", where something was saved. */
function traffic(wire: number, plain: number, { compression }: LinkReport, text: Texts, format: Format): string {
  if (compression === null || compression.mode === "off") return format.bytes(wire);
  if (plain === 0 || 1 - wire / plain < SAVING_MIN) return text("uncompressed", { wire: format.bytes(wire) });
  return text("saved", { plain: format.bytes(plain), wire: format.bytes(wire), percent: format.percent(1 - wire / plain) });
}

function Addresses({ link }: { readonly link: LinkReport }) {
  const text = useText(words);
  const format = useFormat();
  return (
    <div class="dash-addresses">
      <h3>{text("addresses")}</h3>
      <ul>
        {link.urls.map((each) => {
          const isUsed = each.url === link.url && link.state === "ready";
          const isFailing = each.failures_in_row > 0 && !isUsed;
          return (
            <li key={each.url}>
              <span class="dash-address">
                <Raw text={each.url} isMono />
                {!each.configured && <span class="dash-soft"> ({text("told")})</span>}
              </span>
              <span class="dash-address-state">
                {each.rtt_ms !== null && (
                  <span class="dash-soft">{format.milliseconds(Math.max(1, Math.round(each.rtt_ms)))}</span>
                )}
                <Badge tone={isUsed ? "good" : isFailing ? "look" : "idle"}>
                  {isUsed ? text("in_use") : isFailing ? text("failures", { n: each.failures_in_row }) : text("ready_to_use")}
                </Badge>
              </span>
              {isFailing && each.last_error !== null && (
                <span class="dash-address-error" lang="en">
                  <bdi>{visible(each.last_error, 500)}</bdi>
                </span>
              )}
            </li>
          );
        })}
      </ul>
    </div>
  );
}
