// Ten minutes or a day: for every plot of the overview.

import type { HistorySpan } from "#status/history-report.ts";
import { Button } from "../ui/button.tsx";
import { useText } from "../words/catalogue.ts";
import { words } from "./words.ts";

interface SpanChoiceProps {
  readonly span: HistorySpan;
  readonly onChange: (span: HistorySpan) => void;
}

const SPANS = [
  ["10m", "span_10m"],
  ["24h", "span_24h"],
] as const;

export function SpanChoice({ span, onChange }: SpanChoiceProps) {
  const text = useText(words);
  return (
    <fieldset class="dash-span">
      <legend>{text("span")}</legend>
      {SPANS.map(([value, label]) => (
        <Button key={value} pressed={value === span} onClick={() => onChange(value)}>
          {text(label)}
        </Button>
      ))}
    </fieldset>
  );
}
