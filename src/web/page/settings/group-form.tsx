// A group's settings, with the other groups beside them where there is room.

import { useEffect } from "preact/hooks";
import { Link } from "../shell/route.tsx";
import { Notice } from "../ui/notice.tsx";
import { useText } from "../words/catalogue.ts";
import { useForm } from "./form-context.ts";
import { groupWords } from "./group-words.ts";
import type { Group } from "./groups.ts";
import { formatPath, isWithin, parsePath } from "./json.ts";
import { Setting } from "./setting.tsx";
import { words } from "./words.ts";

interface GroupFormProps {
  readonly group: Group;
  readonly groups: readonly Group[];
}

export function GroupForm({ group, groups }: GroupFormProps) {
  const text = useText(words);
  const groupText = useText(groupWords);
  const { target, overridden } = useForm();
  const locks = overridden.filter(({ path }) => group.fields.some(({ key }) => isWithin(path, key)));
  useEffect(() => {
    if (target === undefined) return undefined;
    const frame = requestAnimationFrame(() => show(target)); // what was folded around it is open by then
    return () => cancelAnimationFrame(frame);
  }, [target]);
  return (
    <div class="set-columns">
      <nav class="set-side" aria-label={text("all_groups")}>
        {groups.map(({ id }) => (
          <Link key={id} to={`settings/${id}`} aria-current={id === group.id ? "page" : undefined}>
            {groupText(id)}
          </Link>
        ))}
      </nav>
      <div class="set-form">
        <p class="set-note">{text("in_english")}</p>
        {locks.length > 0 && (
          <Notice tone="idle" title={text("by_environment")}>
            <ul class="set-locks">
              {locks.map(({ path, variable, value }) => (
                <li key={path} lang="en">
                  <code>
                    {path} = {typeof value === "string" ? value : JSON.stringify(value)}
                  </code>{" "}
                  · {variable}
                </li>
              ))}
            </ul>
          </Notice>
        )}
        {group.fields.map((field) => (
          <Setting key={field.key} path={[field.key]} field={field} level={2} />
        ))}
      </div>
    </div>
  );
}

/** Brings a setting, or the nearest one around it that is there, into sight and takes the focus to it. */
function show(target: string): void {
  const path = parsePath(target);
  for (let length = path.length; length > 0; length -= 1) {
    const element = document.getElementById(`set-${formatPath(path.slice(0, length))}`);
    if (element === null) continue;
    element.scrollIntoView({ block: "center" });
    element.querySelector<HTMLElement>("input, select, textarea, button")?.focus({ preventScroll: true });
    return;
  }
}
