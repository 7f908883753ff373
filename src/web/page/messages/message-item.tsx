// One message in the list: a line that says what and whence, and what is in it when it is opened.

import { useMemo } from "preact/hooks";
import { Button } from "../ui/button.tsx";
import { Copy } from "../ui/copy.tsx";
import { Facts } from "../ui/facts.tsx";
import { type Text, useText } from "../words/catalogue.ts";
import { useFormat } from "../words/format.ts";
import { bytesOfBase64, readable, type ShowAs } from "./payload.ts";
import { Raw } from "./raw.tsx";
import type { SeenMessage } from "./seen-message.ts";
import { visible, visibleLines } from "./visible.ts";
import { words } from "./words.ts";

interface MessageItemProps {
  readonly message: SeenMessage;
  readonly showAs: ShowAs;
  readonly isOpen: boolean;
  readonly onToggle: (key: number) => void;
  readonly onAsk: (subject: string) => void;
}

export function MessageItem({ message, showAs, isOpen, onToggle, onAsk }: MessageItemProps) {
  const text = useText(words);
  const format = useFormat();
  return (
    <li class="msg-item">
      <button class="msg-head" type="button" aria-expanded={isOpen} onClick={() => onToggle(message.key)}>
        <span class="msg-subject">
          <Raw text={message.subject} isMono />
        </span>
        <span class="msg-when">{format.clock(message.at)}</span>
        <span class="msg-preview">
          <span>{originOf(message, text)}</span>
          <bdi class="mono">{message.preview === "" ? text("empty_payload") : message.preview}</bdi>
        </span>
      </button>
      {isOpen && <Detail message={message} showAs={showAs} onAsk={onAsk} />}
    </li>
  );
}

function Detail({ message, showAs, onAsk }: Pick<MessageItemProps, "message" | "showAs" | "onAsk">) {
  const text = useText(words);
  const format = useFormat();
  const bytes = useMemo(() => bytesOfBase64(message.payload_base64), [message]);
  const shown = readable(bytes, message.payload_text, showAs);
  const headers = Object.entries(message.headers ?? {});
  return (
    <div class="msg-detail">
      <Facts
        items={[
          [text("topic"), <Raw key="topic" text={message.topic} isMono />],
          [text("from"), whenceOf(message, text)],
          [text("size"), format.bytes(message.size)],
          [text("account"), visible(message.account)],
          ...(message.reply === null ? [] : [[text("reply"), <Raw key="reply" text={message.reply} isMono />] as const]),
          ...headers.map(([name, value]) => [visible(name), <Raw key={name} text={value} isMono />] as const),
        ]}
      />
      <section aria-label={text("payload")}>
        {shown.kind === "none" ? (
          <p>{text(showAs === "json" ? "no_json" : "no_text")}</p>
        ) : (
          // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
          <pre class={`msg-payload mono ${shown.kind === "hex" ? "msg-hex" : ""}`} tabIndex={0}>
            <bdi>{bytes.length === 0 ? text("empty_payload") : visibleLines(shown.text)}</bdi>
          </pre>
        )}
        {message.truncated && <p class="msg-when">{text("truncated")}</p>}
      </section>
      <div class="actions">
        <Copy text={message.payload_text ?? shown.text} label={text("payload")} />
        <Button icon="help" onClick={() => onAsk(message.subject)}>
          {text("ask")}
        </Button>
      </div>
    </div>
  );
}

/** "MQTT, meter-7" */
function whenceOf(message: SeenMessage, text: Text<typeof words>): string {
  const name = message.origin.startsWith(`${message.from} `) ? message.origin.slice(message.from.length + 1) : message.origin;
  return [originOf(message, text), visible(name)].filter((part) => part !== "" && part !== message.from).join(", ");
}

const ORIGINS = ["mqtt", "nats", "serial", "hub", "host", "page"] as const;

function originOf({ from }: SeenMessage, text: Text<typeof words>): string {
  const known = ORIGINS.find((each) => each === from);
  return known === undefined ? visible(from) : text(known);
}
