// What is known of one serial port: its device, what came, what was wrong, its commands, the units of its bus.

import type { SerialReport } from "#status/report.ts";
import { Raw } from "../messages/raw.tsx";
import { visible } from "../messages/visible.ts";
import { Facts } from "../ui/facts.tsx";
import { Notice } from "../ui/notice.tsx";
import { useText } from "../words/catalogue.ts";
import { useFormat } from "../words/format.ts";
import { serialWords } from "./serial-words.ts";

interface PortFactsProps {
  readonly port: SerialReport;
}

const WORDS_MAX = 1_000;

export function PortFacts({ port }: PortFactsProps) {
  const text = useText(serialWords);
  const format = useFormat();
  const { commands } = port;
  const trouble = port.cause ?? port.degraded;
  const hasCommands = commands.done + commands.waiting + commands.refused + commands.late + commands.failed > 0;
  const bad = commands.refused + commands.late + commands.failed;
  const waiting = format.count(commands.waiting);
  return (
    <>
      {trouble !== null && (
        <Notice tone="look">
          <bdi lang="en">{visible(trouble, WORDS_MAX)}</bdi>
        </Notice>
      )}
      {port.is_paused && <Notice tone="look">{text("paused")}</Notice>}
      <Facts
        items={[
          [text("wanted"), <Raw key="wanted" text={port.match} />],
          [text("device"), port.identity === null ? "–" : <Raw key="device" text={port.identity} isMono />],
          ...(port.path === null || port.path === port.identity
            ? []
            : [[text("path"), <Raw key="path" text={port.path} isMono />] as const]),
          [text("frames"), format.count(port.frames)],
          [text("messages"), format.count(port.messages)],
          [text("errors"), format.count(port.errors)],
          [text("last_frame"), port.last_frame === null ? text("not_yet") : text("ago", { time: format.since(port.last_frame) })],
          ...(port.reopens === 0 ? [] : [[text("reopened"), format.count(port.reopens)] as const]),
          ...(hasCommands ? [[text("commands"), text("commands_text", { done: commands.done, waiting, bad })] as const] : []),
        ]}
      />
      {port.last_error !== null && (
        <div class="dev-bad">
          <h3>{text("last_error")}</h3>
          <p lang="en">
            <bdi>{visible(port.last_error, WORDS_MAX)}</bdi>
          </p>
          {port.last_bad_frame !== null && (
            <p class="dev-hex">
              <Raw text={port.last_bad_frame} isMono />
            </p>
          )}
        </div>
      )}
      {port.units !== null && port.units.length > 0 && (
        <div>
          <h3>{text("units")}</h3>
          <Facts
            items={port.units.map((unit) => [
              <Raw key={unit.unit} text={`${text("unit", { n: unit.unit })} ${unit.name}`} />,
              <span key={unit.unit}>
                {text("unit_text", { answers: unit.answers, failures: unit.failures })}
                {unit.last_fault !== null && (
                  <>
                    <br />
                    <bdi lang="en" class="dev-soft">
                      {visible(unit.last_fault, WORDS_MAX)}
                    </bdi>
                  </>
                )}
              </span>,
            ])}
          />
        </div>
      )}
    </>
  );
}
