// Where a technician looks for a setting: the schema's top-level keys in groups, in the order in which a device is set up.
// A key that no group names comes last, under "other": a newer device's settings are never hidden.

import type { Field, ObjectShape } from "./shape.ts";

export type GroupId =
  | "device"
  | "hub"
  | "outbox"
  | "mqtt"
  | "serial"
  | "nats"
  | "accounts"
  | "page"
  | "firewall"
  | "limits"
  | "other";

export interface Group {
  readonly id: GroupId;
  readonly fields: readonly Field[];
}

const KEYS: readonly (readonly [GroupId, readonly string[]])[] = [
  ["device", ["server_name", "host", "log_level"]],
  ["hub", ["leafnodes"]],
  ["outbox", ["outbox"]],
  ["mqtt", ["mqtt"]],
  ["serial", ["serial"]],
  ["nats", ["listen", "tls", "websocket"]],
  ["accounts", ["accounts", "no_auth_user"]],
  ["page", ["web", "monitor"]],
  ["firewall", ["firewall"]],
  ["limits", ["limits"]],
];

export function groupsOf(root: ObjectShape): readonly Group[] {
  const known = KEYS.flatMap(([, keys]) => keys);
  const named = KEYS.map(([id, keys]) => ({
    id,
    fields: keys.flatMap((key) => root.fields.find((field) => field.key === key) ?? []),
  }));
  const rest = root.fields.filter(({ key }) => !known.includes(key));
  return [...named, { id: "other" as const, fields: rest }].filter(({ fields }) => fields.length > 0);
}

/** The group in which a path is edited. */
export function groupOfPath(groups: readonly Group[], path: string): Group | undefined {
  const top = /^[^.[]+/.exec(path)?.[0];
  return groups.find(({ fields }) => fields.some(({ key }) => key === top));
}
