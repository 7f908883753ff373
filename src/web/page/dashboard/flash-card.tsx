// How much is written to flash per day and by whom, and how long the card lasts at this rate.

import { useContext, useMemo } from "preact/hooks";
import type { FlashBytes, FlashReport } from "#status/history-report.ts";
import { Card } from "../ui/card.tsx";
import { useText } from "../words/catalogue.ts";
import { useFormat } from "../words/format.ts";
import { LanguageContext } from "../words/languages.ts";
import { flashLife } from "./flash-life.ts";
import { flashWords } from "./flash-words.ts";
import { ToneLine } from "./tone-line.tsx";

const CAUSES = ["outbox", "mqtt", "settings", "other"] as const satisfies readonly (keyof FlashBytes)[];
const DAYS_SHOWN = 7;

interface FlashCardProps {
  readonly flash: FlashReport | undefined;
}

export function FlashCard({ flash }: FlashCardProps) {
  const text = useText(flashWords);
  const format = useFormat();
  const day = useDay();
  if (flash === undefined)
    return (
      <Card class="dash-left" title={text("title")}>
        <p class="dash-soft">{text("none")}</p>
      </Card>
    );
  const { key, years, tone } = flashLife(flash);
  const days = flash.bytes_per_day.slice(-DAYS_SHOWN).reverse();
  const largest = Math.max(1, ...days.map(({ by_cause }) => total(by_cause)));
  const { life } = flash;
  return (
    <Card class="dash-left" title={text("title")} lead={text("today", { bytes: format.bytes(flash.bytes_today) })}>
      <p>
        <ToneLine tone={tone}>{text(key, { n: years })}</ToneLine>
      </p>
      {life.wear_percent !== null && <p>{text("wear", { percent: format.percent(life.wear_percent / 100) })}</p>}
      {life.written_total_bytes !== null && (
        <p class="dash-soft">{text("total", { bytes: format.bytes(life.written_total_bytes) })}</p>
      )}
      {days.length === 0 ? (
        <p class="dash-soft">{text("none")}</p>
      ) : (
        <>
          <h3>{text("days")}</h3>
          <ul class="dash-causes" aria-hidden="true">
            {CAUSES.map((cause) => (
              <li key={cause}>
                <span class={`dash-cause dash-cause-${cause}`} />
                {text(cause)}
              </li>
            ))}
          </ul>
          <ul class="dash-days">
            {days.map(({ date, by_cause }) => (
              <li key={date}>
                <span>{day(date)}</span>
                <DayBar bytes={by_cause} largest={largest} />
                <span class="dash-day-sum">{format.bytes(total(by_cause))}</span>
                <span class="visually-hidden">
                  {CAUSES.map((cause) => `${text(cause)}: ${format.bytes(by_cause[cause])}`).join(", ")}
                </span>
              </li>
            ))}
          </ul>
        </>
      )}
    </Card>
  );
}

function DayBar({ bytes, largest }: { readonly bytes: FlashBytes; readonly largest: number }) {
  const text = useText(flashWords);
  const format = useFormat();
  return (
    <span class="dash-bar" aria-hidden="true">
      {CAUSES.filter((cause) => bytes[cause] > 0).map((cause) => (
        <span
          key={cause}
          class={`dash-cause-${cause}`}
          title={`${text(cause)}: ${format.bytes(bytes[cause])}`}
          style={{ width: `${(bytes[cause] / largest) * 100}%` }}
        />
      ))}
    </span>
  );
}

function total(bytes: FlashBytes): number {
  return CAUSES.reduce((sum, cause) => sum + bytes[cause], 0);
}

/** "Sun 22 Nov", of a day in UTC. */
function useDay(): (date: string) => string {
  const { language } = useContext(LanguageContext);
  return useMemo(() => {
    const format = new Intl.DateTimeFormat(language, { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" });
    return (date) => format.format(new Date(`${date}T12:00:00Z`));
  }, [language]);
}
