// The groups with their hints, mistakes and changes; or, while somebody searches, the settings that were found, to be changed in place.

import type { ComponentChildren } from "preact";
import { Link } from "../shell/route.tsx";
import { Badge } from "../ui/badge.tsx";
import { Empty } from "../ui/empty.tsx";
import { Field as Labelled } from "../ui/field.tsx";
import { Icon, type IconName } from "../ui/icon.tsx";
import { Input } from "../ui/input.tsx";
import { useText } from "../words/catalogue.ts";
import { findSettings } from "./find-settings.ts";
import { useForm } from "./form-context.ts";
import { groupWords } from "./group-words.ts";
import type { Group, GroupId } from "./groups.ts";
import { formatPath } from "./json.ts";
import { Setting } from "./setting.tsx";
import { words } from "./words.ts";

interface OverviewProps {
  readonly groups: readonly Group[];
  readonly query: string;
  readonly onQuery: (query: string) => void;
}

export function Overview({ groups, query, onQuery }: OverviewProps) {
  const text = useText(words);
  const groupText = useText(groupWords);
  const form = useForm();
  return (
    <>
      <search class="set-search">
        <Labelled label={text("search")} help={text("search_hint")}>
          <Input type="search" value={query} onInput={onQuery} />
        </Labelled>
      </search>
      {query.trim() !== "" ? (
        <Found query={query} />
      ) : (
        <ul class="set-groups">
          {groups.map(({ id, fields }) => {
            const faults = fields.reduce((sum, { key }) => sum + form.faultsWithin([key]), 0);
            const isChanged = fields.some(({ key }) => form.isChanged([key]));
            return (
              <Way key={id} to={`settings/${id}`} icon={ICONS[id]} title={groupText(id)} hint={groupText(`${id}_hint`)}>
                {isChanged && <span class="set-mark set-mark-changed">{text("changed")}</span>}
                {faults > 0 && <Badge tone="bad">{text("faults", { n: faults })}</Badge>}
              </Way>
            );
          })}
          <Way to="settings/json" icon="file" title={text("raw")} hint={text("raw_hint")} />
        </ul>
      )}
    </>
  );
}

const ICONS: Readonly<Record<GroupId, IconName>> = {
  device: "system",
  hub: "hub",
  outbox: "outbox",
  mqtt: "mqtt",
  serial: "serial",
  nats: "link",
  accounts: "users",
  page: "dashboard",
  firewall: "shield",
  limits: "filter",
  other: "more",
};

interface WayProps {
  readonly to: string;
  readonly icon: IconName;
  readonly title: string;
  readonly hint: string;
  readonly children?: ComponentChildren;
}

function Way({ to, icon, title, hint, children }: WayProps) {
  return (
    <li>
      <Link to={to} class="set-group">
        <Icon name={icon} />
        <span class="set-group-words">
          <span class="set-group-title">{title}</span>
          <span class="set-group-hint">{hint}</span>
          {children}
        </span>
        <Icon name="next" />
      </Link>
    </li>
  );
}

function Found({ query }: { readonly query: string }) {
  const text = useText(words);
  const { root, document } = useForm();
  const { hits, more } = findSettings(root, document, query);
  return (
    <>
      <p role="status" class="set-count">
        {hits.length === 0 ? "" : text("found", { n: hits.length + more })}
      </p>
      {hits.length === 0 && <Empty icon="search" title={text("found_none")} />}
      {hits.map(({ path, field }) => (
        <div key={formatPath(path)} class="set-hit">
          <p class="set-place mono">{formatPath(path)}</p>
          <Setting path={path} field={field} level={2} />
        </div>
      ))}
      {more > 0 && <p>{text("found_more", { n: more })}</p>}
    </>
  );
}
