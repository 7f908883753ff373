// What the wizard asks, and what it makes of the answers: pure, from settings to answers and back. Whatever it does not ask about stays
// as it is in the settings.

export interface Document {
  readonly [key: string]: unknown;
}

export const LOGINS = ["none", "password", "credentials"] as const;

export interface HubAnswers {
  /** One per line. */
  readonly urls: string;
  readonly login: (typeof LOGINS)[number];
  readonly user: string;
  readonly password: string;
  /** Path of a file on the device; "": none yet. */
  readonly credentials: string;
  /** Path of a file on the device; "": the authorities that the system knows. */
  readonly ca: string;
  readonly isTlsFirst: boolean;
}

export const PRESETS = ["standard", "everything", "alarms", "fresh"] as const;

export type Preset = (typeof PRESETS)[number];

export interface Answers {
  readonly name: string;
  readonly hub: HubAnswers;
  /** Devices of the local network may connect by MQTT. */
  readonly isMqttOpen: boolean;
  /** Made here; their passwords are shown as long as this browser remembers. */
  readonly mqttUsers: readonly { readonly user: string; readonly password: string }[];
  /** To be added to `serial`. */
  readonly ports: readonly Document[];
  /** null: rules that somebody wrote, and that stay. */
  readonly preset: Preset | null;
}

const MQTT_PORT = 1883;
const ANYWHERE = "0.0.0.0";
const ALARMS = { subjects: ["alarms.>"], class: "alarm", keep: "always" };

const RULES: Readonly<Record<Preset, readonly object[] | undefined>> = {
  standard: undefined,
  everything: [{ subjects: [">"], keep: "always" }],
  alarms: [ALARMS, { subjects: [">"] }],
  fresh: [
    ALARMS,
    {
      subjects: [">"],
      class: "telemetry",
      keep: "always",
      order: "live_first",
      thin_after: { age: "1d", interval: "1m" },
    },
  ],
};

export function answersOf(document: Document): Answers {
  const remote = objectOf(listOf(objectOf(document["leafnodes"])["remotes"])[0]);
  const tls = objectOf(remote["tls"]);
  const rules = JSON.stringify(objectOf(document["outbox"])["rules"]);
  return {
    name: textOf(document["server_name"]),
    hub: {
      urls: listOf(remote["urls"]).join("\n"),
      login: textOf(remote["credentials"]) !== "" ? "credentials" : textOf(remote["user"]) !== "" ? "password" : "none",
      user: textOf(remote["user"]),
      password: textOf(remote["password"]),
      credentials: textOf(remote["credentials"]),
      ca: textOf(tls["ca_file"]),
      isTlsFirst: tls["handshake_first"] === true,
    },
    isMqttOpen: isOpenAddress(textOf(objectOf(document["mqtt"])["listen"])),
    mqttUsers: [],
    ports: [],
    preset: PRESETS.find((each) => JSON.stringify(RULES[each]) === rules) ?? null,
  };
}

export function documentOf(document: Document, answers: Answers): Document {
  const { name, hub, isMqttOpen, mqttUsers, ports, preset } = answers;
  const remotes = listOf(objectOf(document["leafnodes"])["remotes"]);
  const remote = remoteOf(hub, objectOf(remotes[0]));
  return without({
    ...document,
    server_name: name.trim() === "" ? undefined : name.trim(),
    leafnodes:
      remote === undefined
        ? document["leafnodes"]
        : { ...objectOf(document["leafnodes"]), remotes: [remote, ...remotes.slice(1)] },
    mqtt: mqttOf(document["mqtt"], isMqttOpen),
    accounts: mqttUsers.length === 0 ? document["accounts"] : accountsOf(listOf(document["accounts"]), mqttUsers),
    serial: ports.length === 0 ? document["serial"] : portsOf(listOf(document["serial"]), ports),
    outbox: preset === null ? document["outbox"] : outboxOf(objectOf(document["outbox"]), preset),
  });
}

/** undefined: no hub is wanted yet. */
export function remoteOf(hub: HubAnswers, before: Document = {}): Document | undefined {
  const urls = hub.urls.split(/\s+/).filter((url) => url !== "");
  if (urls.length === 0) return undefined;
  const tls = without({
    ...objectOf(before["tls"]),
    ca_file: hub.ca === "" ? undefined : hub.ca,
    handshake_first: hub.isTlsFirst ? true : undefined,
  });
  const hasTls = Object.keys(tls).length > 0 || (before["tls"] !== undefined && before["tls"] !== null);
  return without({
    ...before,
    urls,
    credentials: hub.login === "credentials" ? hub.credentials || undefined : undefined,
    user: hub.login === "password" ? hub.user : undefined,
    password: hub.login === "password" ? hub.password : undefined,
    tls: hasTls ? tls : undefined,
  });
}

function mqttOf(mqtt: unknown, isOpen: boolean): unknown {
  const listen = textOf(objectOf(mqtt)["listen"]);
  if (isOpen === isOpenAddress(listen)) return mqtt;
  return { ...objectOf(mqtt), listen: `${isOpen ? ANYWHERE : "127.0.0.1"}:${portOf(listen)}` };
}

/** Where devices connect to, as this browser reaches the gateway. */
export function mqttPlace(document: Document): string {
  return `${location.hostname}:${portOf(textOf(objectOf(document["mqtt"])["listen"]))}`;
}

function isOpenAddress(listen: string): boolean {
  return listen.startsWith(`${ANYWHERE}:`) || listen.startsWith("[::]:");
}

function portOf(listen: string): number {
  return Number(/:(\d+)$/.exec(listen)?.[1] ?? MQTT_PORT);
}

/** Into the first account: the one that serial ports speak into as well. */
function accountsOf(accounts: readonly unknown[], added: Answers["mqttUsers"]): readonly unknown[] {
  const [first = { name: "EDGE" }, ...rest] = accounts.map(objectOf);
  const users = listOf(first["users"]).map(objectOf);
  const others = users.filter((each) => !added.some(({ user }) => user === each["user"]));
  const changed = added.map((each) => ({ ...users.find(({ user }) => user === each.user), ...each }));
  return [{ ...first, users: [...others, ...changed] }, ...rest];
}

function portsOf(ports: readonly unknown[], added: readonly Document[]): readonly unknown[] {
  const names = new Set(added.map(({ name }) => name));
  return [...ports.filter((port) => !names.has(objectOf(port)["name"])), ...added];
}

function outboxOf(outbox: Document, preset: Preset): Document | undefined {
  const changed = without({ ...outbox, rules: RULES[preset] });
  return Object.keys(changed).length === 0 ? undefined : changed;
}

/** Nobody mistakes one of them for another; 32, so that every byte means each of them as often. */
const letters = "abcdefghijkmnpqrstuvwxyz23456789";

/** 100 bits in four groups, to be read from paper and typed on a small device. */
export function newPassword(): string {
  const drawn = [...crypto.getRandomValues(new Uint8Array(20))].map((byte) => letters[byte % letters.length]).join("");
  return drawn.match(/.{5}/g)!.join("-");
}

/** What a token of a subject may hold. */
export function subjectToken(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_-]+/g, "_") || "gateway";
}

function without(object: Document): Document {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}

export function objectOf(value: unknown): Document {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Document) : {};
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
