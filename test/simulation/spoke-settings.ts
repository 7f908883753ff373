// The settings of a world and what its hub is like, from its seed; and what of the spoke the simulation may ask for.

import type { Millis } from "#base/clock.ts";
import { formatFault } from "#base/fault.ts";
import type { Json } from "#base/schema.ts";
import { type Config, parseConfig } from "#config/config.ts";
import type { UrgencyClass } from "#outbox/urgency.ts";
import type { StreamOptions } from "../support/memory-hub-streams.ts";
import type { Dice } from "./spoke-dice.ts";

/** What the spoke can do. A feature that is not built yet is off, and no world asks for it. */
export const FEATURES = {
  /** confirm: stored */
  stored: true,
  /** confirm: auto */
  auto: true,
  /** order: live_first */
  liveFirst: true,
  /** Streams are asked what they hold before anything doubtful is sent again. */
  reconciliation: true,
  /** A stream that stored a message and whose PubAck was lost on a link that lives is asked before the message is sent again. */
  lostAnswers: true,
  /** outbox.encryption */
  encryption: true,
  /** when_full: drop_new, refuse */
  fullPolicies: true,
  /** What expires or is thinned out one by one is written down before its records go. */
  promptLedger: true,
  /** What drop_new drops is written down before it is acknowledged. */
  writtenDrops: true,
  /** max_age of a rule, thin_after */
  thinning: true,
  /** Losses are written down before they happen, and their totals outlive the process. */
  ledger: true,
  /** Times at rest survive jumps of the calendar: no jump makes anything expire. */
  trustedTime: true,
} as const;

export type Features = Readonly<Record<keyof typeof FEATURES, boolean>>;

export interface Rule {
  /** First token of the subjects it is for. */
  readonly prefix: string;
  readonly class: UrgencyClass;
  readonly keep: "never" | "durable" | "always";
  readonly confirm: "auto" | "accepted" | "stored";
  readonly order: "strict" | "live_first";
  readonly noInterest: "hold" | "drop";
  /** A stream of the hub stores its subjects. */
  readonly hasStream: boolean;
}

/** What may go wrong in a world beyond power cuts, kills and broken links. */
export interface Traits {
  /** The disk fails now and then: single writes, syncs and reads. */
  readonly hasFaultyDisk: boolean;
  /** The disk fills up. */
  readonly hasFullDisk: boolean;
  /** The disk turns read-only for a while. */
  readonly hasReadOnlyDisk: boolean;
  /** Bits flip on the disk while the spoke is down. */
  readonly hasRot: boolean;
  /** The calendar jumps by years. */
  readonly hasJumps: boolean;
  /** The board has no battery: it wakes up in 1970, and is told the time later. */
  readonly hasNoBattery: boolean;
  /** Limits so tight that the oldest must give way. */
  readonly hasTightLimits: boolean;
  /** Old messages expire or are thinned out. */
  readonly hasThinning: boolean;
  /** Streams store now and then, and their PubAck is lost. */
  readonly hasLostAnswers: boolean;
  /** fdatasync takes its time. */
  readonly syncLatency: Millis;
}

export interface Plan {
  readonly config: Config;
  readonly rules: readonly Rule[];
  readonly streams: readonly StreamOptions[];
  /** Filters the hub wants beside those of its streams. */
  readonly interest: readonly string[];
  readonly traits: Traits;
  /** One way to the hub, in milliseconds. */
  readonly latency: Millis;
  readonly mqttClients: number;
  readonly natsClients: number;
}

export const HUB_PORT = 7422;
export const MQTT_PORT = 1883;
export const NATS_PORT = 4222;
export const DATA_DIR = "/data";
export const TTY_PATH = "/dev/ttyUSB0";

/** Where old messages expire: which, and when. */
export const AGED_PREFIX = "bulk";
export const AGED_MS: Millis = 5000;
/** Longer than any world. */
const ENDLESS_MS: Millis = 1e9;
/** No world lasts longer by a clock that tells the truth. */
const MAX_AGE_DAYS = 2;

export function planWorld(dice: Dice, features: Features): Plan {
  const traits = chooseTraits(dice, features);
  const rules = chooseRules(dice, features);
  const streams = chooseStreams(dice, rules, features);
  const latency = dice.pick([0, 2, 10, 40, 250]);
  const outbox: Record<string, Json> = {
    free_reserve: "0B",
    commit_interval: `${dice.pick([1, 5, 25, 100])}ms`,
    max_age: `${features.trustedTime ? MAX_AGE_DAYS : 3650}d`,
    ...(features.fullPolicies && dice.chance(0.5)
      ? { when_full: features.writtenDrops ? dice.pick(["drop_new", "refuse"]) : "refuse" }
      : {}),
    rules: [...rules.map((rule) => ruleBlock(rule, traits.hasThinning)), { subjects: [">"], keep: "never" }],
    ...(features.encryption && dice.chance(0.3) ? { encryption: true } : {}),
    ...(traits.hasTightLimits ? { max_bytes: "1MiB", max_messages: dice.pick([40, 200]) } : {}),
  };
  const document = {
    server_name: "gw-sim",
    listen: `0.0.0.0:${NATS_PORT}`,
    accounts: [{ name: "EDGE", users: [{ user: "local", mqtt: true, nats: true }] }],
    no_auth_user: "local",
    leafnodes: {
      remotes: [
        {
          urls: [`nats-leaf://127.0.0.1:${HUB_PORT}`],
          compression: dice.chance(0.2) ? "s2_fast" : "off",
          isolated: false,
          ignore_discovered_servers: true,
          reconnect: { min: "20ms", max: "400ms" },
          flush_delay: dice.chance(0.2) ? "5ms" : "0ms",
        },
      ],
    },
    mqtt: { listen: `0.0.0.0:${MQTT_PORT}` },
    serial: [{ name: "meter", match: { path: TTY_PATH }, decode: { type: "text" }, subject: "meter.{name}" }],
    monitor: null,
    outbox,
  };
  return {
    config: decoded(document),
    rules,
    streams,
    interest: rules.filter(({ hasStream }) => !hasStream).map(({ prefix }) => `${prefix}.>`),
    traits,
    latency,
    mqttClients: 1 + dice.upTo(3),
    natsClients: dice.upTo(2),
  };
}

function chooseTraits(dice: Dice, features: Features): Traits {
  return {
    hasFaultyDisk: dice.chance(0.5),
    hasFullDisk: dice.chance(0.1),
    hasReadOnlyDisk: dice.chance(0.15),
    hasRot: dice.chance(0.1),
    hasJumps: dice.chance(0.2),
    hasNoBattery: features.trustedTime && dice.chance(0.2),
    hasTightLimits: dice.chance(0.15),
    hasThinning: features.thinning && dice.chance(0.15),
    hasLostAnswers: features.lostAnswers && dice.chance(0.3),
    syncLatency: dice.chance(0.4) ? dice.between(1, 60) : 0,
  };
}

function chooseRules(dice: Dice, features: Features): Rule[] {
  /** A stream stores it, and says so where the rule wants to hear it. */
  const stream = (probability: number) => {
    const hasStream = dice.chance(probability);
    const isStored = features.stored && dice.chance(0.5);
    const isAuto = features.auto && dice.chance(0.5);
    return { hasStream, confirm: isAuto ? "auto" : hasStream && isStored ? "stored" : "accepted" } as const;
  };
  const order = () => (features.liveFirst && dice.chance(0.5) ? "live_first" : "strict");
  const plain = { confirm: features.auto ? "auto" : "accepted", order: "strict", noInterest: "drop", hasStream: false } as const;
  return [
    { prefix: "alarms", class: "alarm", keep: "always", order: "strict", noInterest: "hold", ...stream(1) },
    { prefix: "sensors", class: "telemetry", keep: "always", order: order(), noInterest: "hold", ...stream(0.7) },
    { ...plain, prefix: "meter", class: "telemetry", keep: "always", noInterest: "hold" },
    { prefix: "state", class: "state", keep: "durable", order: order(), noInterest: "hold", ...stream(0.5) },
    { prefix: "bulk", class: "bulk", keep: "always", order: "strict", noInterest: "hold", ...stream(0.3) },
    { ...plain, prefix: "chat", class: "state", keep: "durable" },
    { ...plain, prefix: "live", class: "bulk", keep: "never" },
  ];
}

/** Without reconciliation no window but an endless one keeps doubles out. */
function chooseStreams(dice: Dice, rules: readonly Rule[], features: Features): StreamOptions[] {
  const prefixes = rules.filter(({ hasStream }) => hasStream).map(({ prefix }) => prefix);
  const window = () => (features.reconciliation ? dice.pick([2_000, 10_000, 120_000]) : ENDLESS_MS);
  if (prefixes.length < 2 || dice.chance(0.5)) {
    return [{ name: "ALL", subjects: prefixes.map((prefix) => `${prefix}.>`), duplicateWindow: window() }];
  }
  return prefixes.map((prefix) => ({ name: prefix.toUpperCase(), subjects: [`${prefix}.>`], duplicateWindow: window() }));
}

function ruleBlock(rule: Rule, isThinned: boolean): Json {
  return {
    subjects: [`${rule.prefix}.>`],
    class: rule.class,
    keep: rule.keep,
    ...(isThinned && rule.prefix === "sensors" ? { thin_after: { age: "2s", interval: "1s" } } : {}),
    ...(isThinned && rule.prefix === AGED_PREFIX ? { max_age: `${AGED_MS}ms` } : {}),
    ...(rule.keep === "never" ? {} : { confirm: rule.confirm, order: rule.order, no_interest: rule.noInterest }),
  };
}

function decoded(document: unknown): Config {
  const { config, faults } = parseConfig(document, { deviceId: "dev", dataDir: DATA_DIR });
  if (config === undefined) throw new Error(faults.map(formatFault).join("\n"));
  return config;
}
