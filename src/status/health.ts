// The verdict over a report, in words a technician can act on.

import { countOf, lossWords, lostMessages } from "./loss-words.ts";
import type {
  Health,
  HostReport,
  LinkReport,
  LossReport,
  MqttReport,
  OutboxReport,
  PacketFilterReport,
  PageReport,
  RemoteReport,
  SerialReport,
  StoreReport,
} from "./report.ts";

/** RFC 3339. */
export interface Lately {
  readonly since: string;
  readonly until: string;
}

const ALWAYS: Lately = { since: "", until: "9999" };
/** Subjects named one by one. */
const SUSPENDED_MAX = 3;

/** Parts of the box that not every spoke has. */
export interface Fittings {
  readonly mqtt?: Pick<MqttReport, "hub_mqtt"> | null | undefined;
  readonly store?: StoreReport | undefined;
  readonly packet_filter?: PacketFilterReport | undefined;
  readonly host?: HostReport | undefined;
  readonly disk_fault?: string | null | undefined;
  readonly page?: PageReport | undefined;
  readonly not_open?: readonly string[] | undefined;
}

/**
 * `lately`: what was lost before is history, and what a wrong clock dated later than that is not believed, RFC 3339; status still shows
 * both. `clockFault`: why the clock is not believed.
 */
export function judge(
  remotes: readonly RemoteReport[],
  serial: readonly SerialReport[],
  lately: Lately = ALWAYS,
  clockFault: string | null = null,
  fittings: Fittings = {},
): Health {
  const failed: string[] = [];
  const degraded: string[] = [];
  for (const { name, link, outbox } of remotes) {
    if (outbox.fault !== null) {
      const words = `the outbox of ${name} cannot write to flash: ${outbox.fault}`;
      if (link.state === "ready") degraded.push(words);
      else failed.push(`${words}, and there is no link; QoS 1 publishers get no acknowledgement until one of the two is back`);
    }
    if (link.state !== "ready")
      degraded.push(
        `no link to the hub of ${name}: ${link.last_error?.message ?? link.state}; ${countOf(outbox.depth)} ${outbox.depth === 1 ? "waits" : "wait"}`,
      );
    degraded.push(...losses(name, outbox.losses, lately));
    if (outbox.full !== null)
      degraded.push(
        `the outbox of ${name} keeps nothing new: ${outbox.full}; bring the link back, raise the limit, or let the oldest give way (outbox.when_full)`,
      );
    if (outbox.ledger_fault !== null)
      degraded.push(
        `losses of ${name} are counted in memory only, for the ledger cannot be written: ${outbox.ledger_fault}; free space, or look at the card`,
      );
    if (link.state === "ready") degraded.push(...waiting(name, outbox));
    if (outbox.recovery.damaged > 0 && !outbox.losses.some(({ reason }) => reason === "corrupted"))
      degraded.push(
        `the outbox of ${name} was damaged on flash in ${outbox.recovery.damaged} ${outbox.recovery.damaged === 1 ? "place" : "places"}; what could be read was kept`,
      );
  }
  degraded.push(...twins(remotes));
  if (clockFault !== null) degraded.push(`clock: ${clockFault}`);
  for (const port of serial) {
    if (port.cause !== null) degraded.push(`serial port ${port.name}: ${port.cause}`);
    else if (port.degraded !== null) degraded.push(`serial port ${port.name}: ${port.degraded}`);
    else if (port.is_silent)
      degraded.push(`serial port ${port.name} is open but silent; check the device, the wire and the baud rate`);
  }
  degraded.push(
    ...storeTrouble(fittings.store),
    ...hubMqttTrouble(fittings.mqtt),
    ...filterTrouble(fittings.packet_filter),
    ...hostTrouble(fittings.host),
    ...diskTrouble(fittings.disk_fault),
    ...pageTrouble(fittings.page),
    ...(fittings.not_open ?? []),
  );
  const verdict = failed.length > 0 ? "failed" : degraded.length > 0 ? "degraded" : "ok";
  return { verdict, reasons: [...failed, ...degraded] };
}

/** A system file that hangs is often the first sign of a dying card or sensor. */
function hostTrouble(host: HostReport | undefined): string[] {
  if (host === undefined || host.hanging.length === 0) return [];
  return [`the system does not answer for ${host.hanging.join(", ")}; look at its log (dmesg), at the card and at that sensor`];
}

function pageTrouble(page: PageReport | undefined): string[] {
  return page?.fault == null ? [] : [`the page at ${page.listen} is not open: ${page.fault}`];
}

const STORE_FULL = {
  bytes: "it has as much as its settings allow (mqtt.max_queued_total, mqtt.retained.max_bytes)",
  disk: "the disk is full; free some space",
  staged: "flash does not keep up",
} as const;

function diskTrouble(fault: string | null | undefined): string[] {
  return fault == null ? [] : [`the disk hangs: ${fault}; look at the card, and at the system's log (dmesg)`];
}

function storeTrouble(store: StoreReport | undefined): string[] {
  if (store === undefined) return [];
  const sentences: string[] = [];
  if (store.fault !== null)
    sentences.push(
      `MQTT sessions and retained messages cannot be written to flash: ${store.fault}; publishers with QoS 1 and 2 wait for their acknowledgement`,
    );
  else if (store.full !== null) sentences.push(`MQTT keeps no more for absent clients: ${STORE_FULL[store.full]}`);
  if (store.damaged > 0)
    sentences.push(`what MQTT keeps was damaged on flash in ${store.damaged} ${store.damaged === 1 ? "place" : "places"}`);
  return sentences;
}

/** What is set up to reach the hub's own MQTT clients and does not. */
function hubMqttTrouble(mqtt: Fittings["mqtt"]): string[] {
  return (mqtt?.hub_mqtt ?? []).flatMap(({ state, reason, retained }) => [
    ...(state === "refused" ? [`MQTT clients of the hub get nothing of our messages of QoS 1 and 2: ${reason}`] : []),
    ...(retained?.because == null
      ? []
      : [`retained messages do not travel between MQTT here and at the hub: ${retained.because}`]),
  ]);
}

function filterTrouble(filter: PacketFilterReport | undefined): string[] {
  if (filter === undefined) return [];
  if (filter.state === "failing") return [`the packet filter is not in force: ${filter.because}`];
  return filter.lacks.map((what) => `the packet filter is in force without ${what}: this kernel has none`);
}

/** What waits though there is a link; without one nobody knows who listens, and what is stored, by now. */
function waiting(name: string, { suspended, suspended_subjects: subjects, held }: OutboxReport): string[] {
  const sentences = suspended.slice(0, SUSPENDED_MAX).map(({ subject, why }) => `messages of ${name} on ${subject} wait: ${why}`);
  if (subjects > SUSPENDED_MAX)
    sentences.push(`messages of ${name} on ${subjects - SUSPENDED_MAX} more subjects wait for their streams`);
  if (held > 0) {
    const orStream = subjects > 0 ? ", or for a stream that stores them" : "";
    sentences.push(`${countOf(held)} ${held === 1 ? "waits" : "wait"} for somebody at the hub of ${name} to listen${orStream}`);
  }
  return sentences;
}

/** What was lost lately, if somebody should do something about it. */
function losses(name: string, all: readonly LossReport[], { since, until }: Lately): string[] {
  const kinds = new Map<string, LossReport>();
  for (const loss of all) {
    const key = `${loss.reason} ${loss.class}`;
    const known = kinds.get(key);
    const lastTime = known !== undefined && known.last_time > loss.last_time ? known.last_time : loss.last_time;
    kinds.set(key, { ...loss, messages: loss.messages + (known?.messages ?? 0), last_time: lastTime });
  }
  const sentences: string[] = [];
  for (const { reason, class: urgency, messages, last_time } of kinds.values()) {
    const { remedy } = lossWords(reason, urgency);
    if (remedy === null || last_time < since || last_time > until) continue;
    const what =
      reason === "displaced" && urgency !== null
        ? `the outbox of ${name} was full: ${messages} of the oldest ${urgency} messages were dropped`
        : `outbox of ${name}: ${lostMessages(messages, urgency, reason)}`;
    sentences.push(`${what}, the last on ${last_time}; ${remedy}`);
  }
  return sentences;
}

/** Two remotes of one account that reach the same hub: whatever comes down comes twice. */
function twins(remotes: readonly RemoteReport[]): string[] {
  const reasons: string[] = [];
  for (const [i, remote] of remotes.entries()) {
    const twin = remotes.slice(0, i).find((other) => other.account === remote.account && isSameHub(other.link, remote.link));
    if (twin !== undefined)
      reasons.push(
        `the remotes ${twin.name} and ${remote.name} of account ${remote.account} reach the same hub (${remote.link.hub_cluster ?? remote.link.hub_name}): messages come twice; list all its URLs in one remote`,
      );
  }
  return reasons;
}

function isSameHub(one: LinkReport, other: LinkReport): boolean {
  if (one.hub_id === null || other.hub_id === null) return false;
  return one.hub_id === other.hub_id || (one.hub_cluster !== null && one.hub_cluster === other.hub_cluster);
}
