// What the demo knows of the hub: which readings are in the stream, the newest ones in words, and what the visitor sent himself.

import type { HubWatcher } from "./hub.ts";
import { Ledger } from "./ledger.ts";
import { MQTT_SUBJECT, SERIAL_SUBJECT } from "./spoke.ts";

/** Messages of the visitor shown in a second; more are counted only. */
const SHOWN_A_SECOND_MAX = 5;
const SHOWN_CHARS_MAX = 100;

export class Arrivals implements HubWatcher {
  readonly mqtt = new Ledger();
  readonly serial = new Ledger();
  /** Copies that reached the hub, those sent twice included; and messages in the stream. */
  arrived = 0;
  stored = 0;
  readonly #onVisitor: (line: string) => void;
  #shown = 0;
  #weather = "";
  #greenhouse = "";

  constructor(onVisitor: (line: string) => void) {
    this.#onVisitor = onVisitor;
  }

  get latest(): string {
    return [this.#weather, this.#greenhouse].filter(Boolean).join("  ");
  }

  /** Called once a second. */
  nextSecond(): void {
    if (this.#shown > SHOWN_A_SECOND_MAX) this.#onVisitor(`… and ${this.#shown - SHOWN_A_SECOND_MAX} more of yours`);
    this.#shown = 0;
  }

  onArrival(subject: string, payload: Uint8Array): void {
    this.arrived += 1;
    if (subject === SERIAL_SUBJECT) {
      const reading = parse(payload);
      this.#weather = `usb ${Number(reading["temp"]).toFixed(1)} °C`;
    } else if (subject === MQTT_SUBJECT) {
      const reading = parse(payload);
      this.#greenhouse = `mqtt ${reading["co2"]} ppm`;
    } else {
      this.#shown += 1;
      if (this.#shown <= SHOWN_A_SECOND_MAX)
        this.#onVisitor(`at the hub: ${printable(subject)}  ${printable(Buffer.from(payload).toString())}`);
    }
  }

  onStored(subject: string, payload: Uint8Array): void {
    this.stored += 1;
    const ledger = subject === SERIAL_SUBJECT ? this.serial : subject === MQTT_SUBJECT ? this.mqtt : undefined;
    const n = parse(payload)["n"];
    if (ledger !== undefined && Number.isSafeInteger(n) && (n as number) > 0) ledger.stored(n as number);
  }
}

/** No object: nothing of ours, so it has no number and counts as nothing published. */
function parse(payload: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(payload).toString());
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

/** What somebody sent must not move the terminal's cursor. */
function printable(text: string): string {
  const short = text.length > SHOWN_CHARS_MAX ? `${text.slice(0, SHOWN_CHARS_MAX)}…` : text;
  return short.replaceAll(/[^\p{L}\p{N}\p{P}\p{S}\p{M} ]/gu, "·");
}
