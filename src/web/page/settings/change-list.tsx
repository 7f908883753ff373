// What changes, one block for each setting: before and after, told by words and marks, not by colour alone.

import { Empty } from "../ui/empty.tsx";
import { useText } from "../words/catalogue.ts";
import { isList, isObject, type Json } from "./json.ts";
import { reviewWords } from "./review-words.ts";
import type { Change } from "./use-settings.ts";

const SHOWN = "***";

export function ChangeList({ changes }: { readonly changes: readonly Change[] }) {
  const text = useText(reviewWords);
  if (changes.length === 0) return <Empty icon="settings" title={text("nothing")} />;
  return (
    <ul class="set-changes">
      {changes.map((change) => {
        const isSecret = change.before === SHOWN && change.after === SHOWN;
        return (
          <li key={change.path} class="set-change">
            <p class="set-place mono">{change.path}</p>
            <dl>
              <Side sign="−" name={text("before")} class="set-before" value={change.before} isNewSecret={false} />
              <Side sign="+" name={text("after")} class="set-after" value={change.after} isNewSecret={isSecret} />
            </dl>
          </li>
        );
      })}
    </ul>
  );
}

interface SideProps {
  readonly sign: string;
  readonly name: string;
  readonly class: string;
  readonly value: Json | undefined;
  readonly isNewSecret: boolean;
}

function Side({ sign, name, value, isNewSecret, ...props }: SideProps) {
  const text = useText(reviewWords);
  const shown =
    value === undefined ? text("unwritten") : value === SHOWN ? text(isNewSecret ? "new_secret" : "secret") : textOf(value);
  return (
    <div class={props.class}>
      <dt>
        <span aria-hidden="true">{sign}</span> {name}
      </dt>
      <dd>{value !== undefined && value !== SHOWN ? <code>{shown}</code> : <em>{shown}</em>}</dd>
    </div>
  );
}

function textOf(value: Json): string {
  if (typeof value === "string") return value;
  if (isList(value) && value.length > 0 && value.every((each) => typeof each === "string")) return value.join("\n");
  return isObject(value) || isList(value) ? JSON.stringify(value, null, 2) : JSON.stringify(value);
}
