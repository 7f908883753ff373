// The settings: groups to find one's way, a form for each group, search over all, the whole as JSON, and the diff before anything is
// applied.
//
//   #/settings              the groups, and the search
//   #/settings/hub          a group's form
//   #/settings/json         the document as text
//   #/settings/review       what changes, and the button that applies it

import { useMemo, useState } from "preact/hooks";
import { Link, useRoute } from "../shell/route.tsx";
import { Button } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import { Notice } from "../ui/notice.tsx";
import { Spinner } from "../ui/spinner.tsx";
import { View } from "../ui/view.tsx";
import { useText } from "../words/catalogue.ts";
import { ChangeBar } from "./change-bar.tsx";
import { ConflictNotice } from "./conflict-notice.tsx";
import { FormContext, type FormState } from "./form-context.ts";
import { GroupForm } from "./group-form.tsx";
import { groupWords } from "./group-words.ts";
import { groupOfPath, groupsOf } from "./groups.ts";
import { JsonEditor } from "./json-editor.tsx";
import { Overview } from "./overview.tsx";
import { type Pieces, PiecesContext } from "./pieces.ts";
import { placeFaults } from "./place-faults.ts";
import { RestartNotice } from "./restart-notice.tsx";
import { ReviewForm } from "./review-form.tsx";
import { reviewWords } from "./review-words.ts";
import { Setting, Shaped } from "./setting.tsx";
import { TrialNotice } from "./trial-notice.tsx";
import { type SettingsHandle, useSettings } from "./use-settings.ts";
import { words } from "./words.ts";

export function SettingsView() {
  const text = useText(words);
  const { settings, failure, retry } = useSettings();
  if (settings !== undefined) return <Loaded settings={settings} />;
  return (
    <View title={text("title")}>
      {failure === "" ? (
        <Spinner label={text("loading")} />
      ) : (
        <Notice tone="bad" isAlert title={text("load_failed")} actions={<Button onClick={retry}>{text("try_again")}</Button>}>
          <span lang="en">{failure}</span>
        </Notice>
      )}
    </View>
  );
}

const PIECES: Pieces = { Setting, Shaped };

function Loaded({ settings }: { readonly settings: SettingsHandle }) {
  const text = useText(words);
  const reviewText = useText(reviewWords);
  const groupText = useText(groupWords);
  const { rest } = useRoute();
  const [place = "", target] = rest;
  const [query, setQuery] = useState("");
  const [isJson, setJson] = useState(true);
  const { root, answer, document, edit } = settings;
  const groups = useMemo(() => groupsOf(root), [root]);
  const faults = useMemo(() => placeFaults(root, document, settings.faults), [root, document, settings.faults]);
  const form: FormState = {
    root,
    document,
    saved: answer.document,
    overridden: answer.overridden,
    faults,
    target: target ?? undefined,
    edit,
  };
  const group = groups.find(({ id }) => id === place);
  const title =
    place === "review"
      ? reviewText("title")
      : place === "json"
        ? text("raw")
        : group === undefined
          ? text("title")
          : groupText(group.id);
  const wayTo = (at: string) => {
    const of = groupOfPath(groups, at);
    return of === undefined ? "settings/json" : `settings/${of.id}/${encodeURIComponent(at)}`;
  };
  return (
    <View title={title} {...(group === undefined ? {} : { lead: groupText(`${group.id}_hint`) })}>
      <FormContext.Provider value={form}>
        <PiecesContext.Provider value={PIECES}>
          {title !== text("title") && (
            <p class="set-back">
              <Link to="settings">
                <Icon name="back" /> {text("all_groups")}
              </Link>
            </p>
          )}
          {settings.isConflict && <ConflictNotice settings={settings} />}
          <TrialNotice settings={settings} />
          {answer.restart_needed && answer.pending === null && place !== "review" && <RestartNotice />}
          {place === "review" ? (
            <ReviewForm settings={settings} wayTo={wayTo} />
          ) : place === "json" ? (
            <JsonEditor settings={settings} onText={setJson} />
          ) : group === undefined ? (
            <Overview groups={groups} query={query} onQuery={setQuery} />
          ) : (
            <GroupForm key={group.id} group={group} groups={groups} />
          )}
          {place !== "review" && (
            <ChangeBar settings={settings} faults={faults} isReady={isJson} isText={place === "json"} wayTo={wayTo} />
          )}
        </PiecesContext.Provider>
      </FormContext.Provider>
    </View>
  );
}
