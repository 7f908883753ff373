// The document as text: each mistake with its line and column, whether the text is no JSON or the device does not accept what it says.

import { useEffect, useRef, useState } from "preact/hooks";
import { Button } from "../ui/button.tsx";
import { Copy } from "../ui/copy.tsx";
import { Field } from "../ui/field.tsx";
import { Icon } from "../ui/icon.tsx";
import { Textarea } from "../ui/textarea.tsx";
import { useText } from "../words/catalogue.ts";
import { useForm } from "./form-context.ts";
import { formatPath, isSame, parsePath } from "./json.ts";
import { type Mistake, type Place, type Read, readJson } from "./json-text.ts";
import { reviewWords } from "./review-words.ts";
import { useFaultWords } from "./setting-words.tsx";
import type { SettingsHandle } from "./use-settings.ts";

interface JsonEditorProps {
  readonly settings: SettingsHandle;
  /** What is typed is no JSON: the form has the last document that was. */
  readonly onText: (isJson: boolean) => void;
}

export function JsonEditor({ settings, onText }: JsonEditorProps) {
  const text = useText(reviewWords);
  const say = useFaultWords();
  const form = useForm();
  const box = useRef<HTMLDivElement>(null);
  const { document } = settings;
  const [typed, setTyped] = useState(() => JSON.stringify(document, null, 2));
  const read = readJson(typed);
  // Discarded, or changed by a form: the text follows, unless it says the same.
  useEffect(() => {
    setTyped((now) => {
      const { mistake, value } = { value: undefined, ...readJson(now) } as Read & { value?: typeof document };
      return mistake === undefined && isSame(value, document) ? now : JSON.stringify(document, null, 2);
    });
  }, [document]);
  const isJson = read.mistake === undefined;
  useEffect(() => {
    onText(isJson);
    return () => onText(true);
  }, [isJson, onText]);
  const type = (next: string) => {
    setTyped(next);
    const now = readJson(next);
    if (now.mistake === undefined) settings.edit(now.value);
  };
  const showPlace = ({ line, column }: Place) => {
    const area = box.current?.querySelector("textarea");
    if (!area) return;
    const at =
      typed
        .split("\n")
        .slice(0, line - 1)
        .reduce((sum, each) => sum + each.length + 1, 0) +
      column -
      1;
    area.focus();
    area.setSelectionRange(at, Math.min(typed.length, at + 1));
    area.scrollTop = Math.max(0, (line - 4) * Number.parseFloat(getComputedStyle(area).lineHeight));
  };
  const troubles: readonly { readonly at: Place; readonly words: string }[] =
    read.mistake !== undefined
      ? [{ at: read.mistake, words: mistakeWords(read.mistake, text) }]
      : form.faults.map((fault) => ({
          at: placeOf(fault.path, read.places),
          words: `${fault.kind === "unknown" ? "" : `${fault.path}: `}${say({ ...fault, at: fault.path })}`,
        }));
  const isJudged = !settings.isDirty || settings.judgement !== undefined;
  return (
    <div class="set-json" ref={box}>
      <Field label={text("json_label")} help={text("json_help")}>
        <Textarea value={typed} onInput={type} rows={24} isMono />
      </Field>
      <div class="set-json-state" role="status">
        {troubles.length === 0 && isJudged && (
          <p class="set-json-good">
            <Icon name="good" /> {text("json_good")}
          </p>
        )}
        {troubles.map(({ at, words }) => (
          <p key={words} class="field-fault">
            <Icon name="bad" />
            <span>
              <button type="button" class="set-link" onClick={() => showPlace(at)}>
                {text("json_at", { line: at.line, column: at.column })}
              </button>
              : {words}
            </span>
          </p>
        ))}
      </div>
      <div class="actions">
        <Copy text={typed} label={text("json_label")} />
        <Button
          icon="edit"
          disabled={read.mistake !== undefined}
          onClick={() => read.mistake === undefined && setTyped(JSON.stringify(read.value, null, 2))}
        >
          {text("json_format")}
        </Button>
      </div>
    </div>
  );
}

/** Where a setting stands, or the nearest one around it that is written. */
function placeOf(path: string, places: ReadonlyMap<string, Place>): Place {
  const steps = parsePath(path);
  for (let length = steps.length; length >= 0; length -= 1) {
    const place = places.get(formatPath(steps.slice(0, length)));
    if (place !== undefined) return place;
  }
  return { line: 1, column: 1 };
}

function mistakeWords({ code, found }: Mistake, text: ReturnType<typeof useText<typeof reviewWords>>): string {
  const values = { found: found === "" ? text("json_end") : found };
  return text(code === "end" ? "json_unclosed" : `json_${code}`, values);
}
