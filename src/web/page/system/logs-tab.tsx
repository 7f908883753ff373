// The log, newest first, as it comes: what is new appears at the top, where the eye is, and nothing scrolls away beneath it.

import { useEffect, useRef, useState } from "preact/hooks";
import { api } from "../shell/api.ts";
import { useLiveEvent } from "../shell/live.tsx";
import { Badge, type Tone } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { Copy } from "../ui/copy.tsx";
import { Empty } from "../ui/empty.tsx";
import { Field } from "../ui/field.tsx";
import { Input } from "../ui/input.tsx";
import { Select } from "../ui/select.tsx";
import { useText } from "../words/catalogue.ts";
import { useFormat } from "../words/format.ts";
import { Loading } from "./loading.tsx";
import { isShown, LEVELS, type Level, type Line, parseLine } from "./log-line.ts";
import { useLoaded } from "./use-loaded.ts";
import { words } from "./words.ts";

const LINES_MAX = 1_000;
const TONES: Readonly<Record<Level, Tone>> = { debug: "idle", info: "idle", warn: "look", error: "bad" };

export function LogsTab() {
  const text = useText(words);
  const format = useFormat();
  const next = useRef(0);
  const [lines, setLines] = useState<readonly Line[]>([]);
  const [waiting, setWaiting] = useState<readonly Line[]>([]);
  const [isPaused, setPaused] = useState(false);
  const [least, setLeast] = useState<Level>("info");
  const [needle, setNeedle] = useState("");
  const take = (whole: string): Line => {
    next.current += 1;
    return parseLine(whole, next.current);
  };
  const loaded = useLoaded(() => api.get<{ readonly lines: readonly string[] }>(`/api/logs?count=${LINES_MAX}`));
  useEffect(() => {
    // Lines that came while these were on their way stand at the end of them.
    if (loaded.value !== undefined) setLines(loaded.value.lines.map(take).reverse());
  }, [loaded.value]);
  useLiveEvent("log", (data) => {
    const line = take(String(data));
    const add = (now: readonly Line[]) => [line, ...now].slice(0, LINES_MAX);
    if (isPaused) setWaiting(add);
    else setLines(add);
  });
  const goOn = () => {
    setLines((now) => [...waiting, ...now].slice(0, LINES_MAX));
    setWaiting([]);
    setPaused(false);
  };
  if (loaded.value === undefined) return <Loading loaded={loaded} />;
  const shown = lines.filter((line) => isShown(line, least, needle));
  return (
    <>
      <div class="sys-filters">
        <Field label={text("level")}>
          <Select
            value={least}
            onChange={setLeast}
            options={LEVELS.map((level) => ({ value: level, label: text(`level_${level}`) }))}
          />
        </Field>
        <Field label={text("filter")}>
          <Input type="search" value={needle} onInput={setNeedle} />
        </Field>
        <div class="actions">
          {isPaused ? (
            <Button kind="primary" icon="play" onClick={goOn}>
              {text("go_on", { n: waiting.length })}
            </Button>
          ) : (
            <Button icon="pause" onClick={() => setPaused(true)}>
              {text("pause")}
            </Button>
          )}
          <Copy text={shown.map(({ whole }) => whole).join("\n")} label={text("log_copy")} />
        </div>
      </div>
      <p class="sys-hint">{text("log_hint")}</p>
      {shown.length === 0 ? (
        <Empty icon="file" title={text("log_none")} />
      ) : (
        <ol class="sys-log" aria-label={text("tab_logs")}>
          {shown.map(({ id, at, level, part, words: said }) => (
            <li key={id} class={`sys-line sys-line-${level}`}>
              <span class="sys-line-head">
                <time dateTime={at} title={at}>
                  {Number.isNaN(Date.parse(at)) ? at : format.clock(at)}
                </time>
                <Badge tone={TONES[level]}>{text(`is_${level}`)}</Badge>
                <span>{part}</span>
              </span>
              <span class="sys-line-words mono">{said}</span>
            </li>
          ))}
        </ol>
      )}
    </>
  );
}
