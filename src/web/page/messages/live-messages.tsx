// What passes through the device now. Opening a message holds the list still: nobody reads what moves away.

import { useState } from "preact/hooks";
import { Button } from "../ui/button.tsx";
import { Empty } from "../ui/empty.tsx";
import { Field } from "../ui/field.tsx";
import { Input } from "../ui/input.tsx";
import { Notice } from "../ui/notice.tsx";
import { Select } from "../ui/select.tsx";
import { useText } from "../words/catalogue.ts";
import { MessageItem } from "./message-item.tsx";
import type { ShowAs } from "./payload.ts";
import { useMessages } from "./use-messages.ts";
import { words } from "./words.ts";

const SHOW_AS = ["auto", "json", "text", "hex"] as const satisfies readonly ShowAs[];
const SHOWN_FIRST = 100;
const EVERYTHING = ">";

interface LiveMessagesProps {
  readonly onAsk: (subject: string) => void;
}

export function LiveMessages({ onAsk }: LiveMessagesProps) {
  const text = useText(words);
  const [typed, setTyped] = useState(EVERYTHING);
  const [filter, setFilter] = useState(EVERYTHING);
  const [showAs, setShowAs] = useState<ShowAs>("auto");
  const [isPaused, setPaused] = useState(false);
  const [open, setOpen] = useState<ReadonlySet<number>>(new Set());
  const [count, setCount] = useState(SHOWN_FIRST);
  const { shown, meanwhile, skipped, state, error, clear } = useMessages(filter, isPaused);
  const apply = () => {
    setFilter(typed.trim() === "" ? EVERYTHING : typed.trim());
    setPaused(false);
  };
  const toggle = (key: number) => {
    const next = new Set(open);
    if (!next.delete(key)) {
      next.add(key);
      setPaused(true);
    }
    setOpen(next);
  };
  const moods = { opening: "opening", open: "running", lost: "lost", ended: "lost", refused: "paused" } as const;
  return (
    <div class="msg-pane">
      <form
        class="msg-bar"
        onSubmit={(event) => {
          event.preventDefault();
          apply();
        }}
      >
        <Field label={text("filter")} help={text("filter_help")}>
          <Input value={typed} onInput={setTyped} isMono suggestions={[EVERYTHING, ...subjectsOf(shown)]} />
        </Field>
        <Field label={text("show_as")}>
          <Select value={showAs} onChange={setShowAs} options={SHOW_AS.map((value) => ({ value, label: text(value) }))} />
        </Field>
        <div class="actions">
          <Button type="submit" icon="search" kind="primary">
            {text("apply")}
          </Button>
          <Button icon={isPaused ? "play" : "pause"} onClick={() => setPaused(!isPaused)}>
            {text(isPaused ? "resume" : "pause")}
          </Button>
          <Button icon="remove" onClick={clear}>
            {text("clear")}
          </Button>
        </div>
      </form>
      {state === "refused" && (
        <Notice tone="bad" isAlert>
          {text("refused", { why: error?.message ?? "" })}
        </Notice>
      )}
      <div class="msg-state">
        <span role="status">{isPaused ? text("paused") : text(moods[state])}</span>
        {isPaused && meanwhile > 0 && <span>{text("meanwhile", { n: meanwhile })}</span>}
        {shown.length > 0 && <span>{text("seen", { n: shown.length })}</span>}
        {skipped > 0 && <span>{text("skipped", { n: skipped })}</span>}
      </div>
      {shown.length === 0 ? (
        state !== "refused" &&
        state !== "opening" && <Empty icon="messages" title={text("nothing")} hint={text("nothing_hint")} />
      ) : (
        <ul class="msg-list" aria-label={text("list")}>
          {shown.slice(0, count).map((message) => (
            <MessageItem
              key={message.key}
              message={message}
              showAs={showAs}
              isOpen={open.has(message.key)}
              onToggle={toggle}
              onAsk={onAsk}
            />
          ))}
        </ul>
      )}
      {shown.length > count && (
        <Button onClick={() => setCount(count + SHOWN_FIRST)}>
          {text("older", { n: Math.min(SHOWN_FIRST, shown.length - count) })}
        </Button>
      )}
    </div>
  );
}

const SUGGESTIONS_MAX = 30;

function subjectsOf(messages: readonly { readonly subject: string }[]): string[] {
  const subjects = new Set<string>();
  for (const { subject } of messages) {
    subjects.add(subject);
    if (subjects.size === SUGGESTIONS_MAX) break;
  }
  return [...subjects].sort();
}
