// One serial port, and what comes from it now: each frame in hex, as text, and as what would be published of it.

import { useState } from "preact/hooks";
import type { SerialReport } from "#status/report.ts";
import { Raw } from "../messages/raw.tsx";
import { visible, visibleLines } from "../messages/visible.ts";
import { Link } from "../shell/route.tsx";
import { Badge } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { Card } from "../ui/card.tsx";
import { Empty } from "../ui/empty.tsx";
import { Icon } from "../ui/icon.tsx";
import { Notice } from "../ui/notice.tsx";
import { useText } from "../words/catalogue.ts";
import { useFormat } from "../words/format.ts";
import { PortFacts } from "./port-facts.tsx";
import { portMood } from "./port-sentence.ts";
import { serialWords } from "./serial-words.ts";
import { type SeenFrame, useFrames } from "./use-frames.ts";

interface PortPageProps {
  readonly name: string;
  readonly port: SerialReport | undefined;
}

export function PortPage({ name, port }: PortPageProps) {
  const text = useText(serialWords);
  const mood = port === undefined ? undefined : portMood(port);
  return (
    <div class="dev-pane">
      <p>
        <Link to="devices/serial" class="button button-quiet">
          <Icon name="back" />
          <span>{text("back")}</span>
        </Link>
      </p>
      {port === undefined || mood === undefined ? (
        <Empty icon="serial" title={text("gone")} hint={<Raw text={name} />} />
      ) : (
        <>
          <Card title={<bdi>{visible(port.name)}</bdi>} actions={<Badge tone={mood.tone}>{text(mood.key)}</Badge>}>
            <PortFacts port={port} />
          </Card>
          <LiveFrames port={port.name} />
        </>
      )}
    </div>
  );
}

function LiveFrames({ port }: { readonly port: string }) {
  const text = useText(serialWords);
  const [isPaused, setPaused] = useState(false);
  const { shown, skipped, state, isListening, error } = useFrames(port, isPaused);
  return (
    <Card
      title={text("live")}
      actions={
        <Button icon={isPaused ? "play" : "pause"} onClick={() => setPaused(!isPaused)}>
          {text(isPaused ? "resume" : "pause")}
        </Button>
      }
    >
      {state === "refused" && (
        <Notice tone="bad" isAlert>
          <span lang="en">{error?.message}</span>
        </Notice>
      )}
      {skipped > 0 && <p class="dev-soft">{text("skipped", { n: skipped })}</p>}
      {shown.length === 0 ? (
        isListening && <Empty icon="serial" title={text("nothing")} hint={text("listening")} />
      ) : (
        <ul class="dev-frames" aria-label={text("list")}>
          {shown.map((frame) => (
            <Frame key={frame.key} frame={frame} />
          ))}
        </ul>
      )}
    </Card>
  );
}

function Frame({ frame }: { readonly frame: SeenFrame }) {
  const text = useText(serialWords);
  const format = useFormat();
  const { decoded, error } = frame;
  const tone = error !== null ? "look" : decoded === null ? "idle" : "good";
  const word = error !== null ? "bad_frame" : decoded === null ? "raw_frame" : "good_frame";
  return (
    <li class="dev-frame">
      <div class="dev-frame-head">
        <span>{format.clock(frame.at)}</span>
        <Badge tone={tone}>{text(word)}</Badge>
        <span>{format.bytes(frame.size)}</span>
        {frame.truncated && <span>{text("truncated")}</span>}
      </div>
      {error !== null && (
        <p lang="en">
          <bdi>{visible(error, 1_000)}</bdi>
        </p>
      )}
      {frame.text !== null && frame.text !== "" && (
        <p>
          <bdi class="raw mono">{visibleLines(frame.text)}</bdi>
        </p>
      )}
      <p class="dev-hex mono">{spaced(frame.hex)}</p>
      {decoded?.map(({ subject, payload }) => (
        <p class="dev-read" key={subject}>
          <Raw text={subject} isMono /> <Raw text={payload} isMono />
        </p>
      ))}
    </li>
  );
}

/** `7b22` → `7b 22` */
function spaced(hex: string): string {
  return hex.replace(/(..)(?=.)/g, "$1 ");
}
