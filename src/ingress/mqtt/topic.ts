// MQTT topic ↔ NATS subject, reversible: every topic a device may use has a subject, no two share one, none becomes a wildcard.
//
//   plant/7/temp  ↔  plant.7.temp        a level is a token
//   a//b          ↔  a./.b               an empty level is the token "/"
//   a.b/c         ↔  a//b.c              a dot inside a level is "//"
//   my room/*     ↔  my/sroom./a         a space is "/s"; a level that is just * or > is "/a" or "/g"
//   a/+/#         →  a.*.>  and  a.*     "#" matches its parent level too, so such a filter is two subscriptions
//
// Topics and subjects are latin1 strings here, one char per byte of UTF-8 (core/subject.ts); whether the bytes are
// well-formed was checked by whoever read them. Source: nats-server's mapping (the table is in README.md), with the line of "/s", "/a" and
// "/g" added: nats-server makes no subject with a lone "/" before another byte.

import { isReserved, SUBJECT_BYTES_MAX } from "#core/subject.ts";
import { REASON } from "./reason-codes.ts";

/** Why a topic or filter was not taken. */
export interface TopicFault {
  /** The standard forbids it: the connection ends. */
  readonly isMalformed: boolean;
  readonly words: string;
  /** What a 5.0 client is told, as a publisher; as a subscriber it is told `filterReasonOf`. */
  readonly reason: number;
}

/** What a filter means for the router. */
export interface MappedFilter {
  /** One subject, or two where # stands behind a level. */
  readonly subjects: readonly string[];
  /** Queue group of a shared subscription; "" for an ordinary one. */
  readonly queue: string;
}

const EMPTY: TopicFault = { isMalformed: true, words: "it is empty", reason: REASON.protocolError };
const NULL_CHARACTER = breach("it contains the character U+0000");
const WILDCARD = breach("it contains a wildcard (+ or #)");
const MISPLACED = refusal("+ and # must be a whole level, and # the last one");
const CONTROL = refusal("control characters have no place in a topic");
const RESERVED = refusal("this name is reserved for the system");
const SHARED = refusal("a shared subscription is $share/group/filter, the group without + and #");
const TOO_LONG = refusal(`its subject would be longer than ${SUBJECT_BYTES_MAX} bytes`);

/** First levels that belong to NATS or to us: a device must not forge stored messages, API calls, server events or our own reports. */
const NO_PUBLISH = new Set(["$MQTT", "$JS", "$SYS", "$LDS", "$PETIOLE"]);
const NO_SUBSCRIBE = new Set(["$MQTT", "$LDS"]);
const SHARE = "$share/";

/** Levels of no or one character that are not their own token. */
const LONE: Readonly<Record<string, string>> = { "": "/", "*": "/a", ">": "/g", ".": "//", " ": "/s" };

/** The subject of a topic name, or why it has none. */
export function mapTopic(topic: string): string | TopicFault {
  if (topic.length === 0) return EMPTY;
  const fault = characterFault(topic);
  if (fault !== undefined) return fault;
  if (topic.includes("+") || topic.includes("#")) return WILDCARD;
  if (topic.length > SUBJECT_BYTES_MAX) return TOO_LONG; // a subject is never shorter than its topic
  const levels = topic.split("/");
  if (NO_PUBLISH.has(levels[0]!)) return RESERVED;
  return checkLength(levels.map(toToken).join("."));
}

/** What to subscribe to for a topic filter, shared or not, or why it is refused. */
export function mapSubscription(filter: string): MappedFilter | TopicFault {
  if (!filter.startsWith(SHARE)) return withQueue(filter, "");
  const slash = filter.indexOf("/", SHARE.length);
  const group = filter.slice(SHARE.length, Math.max(slash, SHARE.length));
  if (group === "" || group.includes("+") || group.includes("#") || slash === filter.length - 1) return SHARED; // [MQTT5-4.8.2-1, MQTT5-4.8.2-2]
  const fault = characterFault(group);
  if (fault !== undefined) return fault;
  return withQueue(filter.slice(slash + 1), group.replaceAll(" ", "/s")); // a group has no slash, a queue name no space
}

/** The one or two subjects to subscribe to for a topic filter that is not shared, or why it is refused. */
export function mapFilter(filter: string): readonly string[] | TopicFault {
  if (filter.length === 0) return EMPTY;
  const fault = characterFault(filter);
  if (fault !== undefined) return fault;
  if (filter.length > SUBJECT_BYTES_MAX) return TOO_LONG;
  const levels = filter.split("/");
  const tokens: string[] = [];
  for (const [i, level] of levels.entries()) {
    const isWild = level.includes("+") || level.includes("#");
    if (isWild && (level.length > 1 || (level === "#" && i < levels.length - 1))) return MISPLACED;
    tokens.push(level === "+" ? "*" : level === "#" ? ">" : toToken(level));
  }
  if (levels[0] === "$share") return SHARED;
  if (NO_SUBSCRIBE.has(levels[0]!)) return RESERVED;
  const subject = checkLength(tokens.join("."));
  if (typeof subject !== "string") return subject;
  const isParentToo = levels.length > 1 && levels.at(-1) === "#";
  return isParentToo ? [subject, tokens.slice(0, -1).join(".")] : [subject];
}

/** What a 5.0 client is told in SUBACK about a filter with this fault. */
export function filterReasonOf(fault: TopicFault): number {
  return fault.isMalformed ? fault.reason : REASON.topicFilterInvalid;
}

/** The topic of a literal subject: the way back of `mapTopic`. Subjects no topic has lose a lone "/" inside a token. */
export function subjectToTopic(subject: string): string {
  if (!subject.includes("/")) return subject.replaceAll(".", "/");
  return subject.split(".").map(toLevel).join("/");
}

/** Can a PUBLISH to a client carry this subject as its topic [MQTT-3.3.2-2]? `isWellFormed`: its bytes are UTF-8. */
export function isNameable(subject: string, isWellFormed: boolean): boolean {
  if (!isWellFormed || subject.includes("+") || subject.includes("#") || subject.includes("\0")) return false;
  return subjectToTopic(subject).length > 0;
}

/** A filter whose first level is a wildcard must not match the system's own names [MQTT-4.7.2-1], nor the replies of requests. */
export function isHiddenFrom(filter: string, subject: string): boolean {
  return (filter.startsWith("*") || filter.startsWith(">")) && isReserved(subject);
}

/** The text form of a latin1 topic, for logs. */
export function displayTopic(topic: string): string {
  const shown = topic.length > 200 ? `${topic.slice(0, 200)}…` : topic;
  return Buffer.from(shown, "latin1").toString("utf8");
}

function characterFault(topic: string): TopicFault | undefined {
  let fault: TopicFault | undefined;
  for (let i = 0; i < topic.length; i++) {
    const byte = topic.charCodeAt(i);
    if (byte === 0) return NULL_CHARACTER;
    if (byte < 0x20 || byte === 0x7f) fault = CONTROL;
    // U+0080 … U+009F: C2, then that byte. C2 begins no other kind of character.
    if (byte === 0xc2 && topic.charCodeAt(i + 1) < 0xa0) fault = CONTROL;
  }
  return fault;
}

function toToken(level: string): string {
  if (level.length < 2) return LONE[level] ?? level;
  return level.replaceAll(".", "//").replaceAll(" ", "/s");
}

function toLevel(token: string): string {
  if (!token.includes("/")) return token;
  if (token === "/a") return "*";
  if (token === "/g") return ">";
  return token.replaceAll(/\/[/s]?/g, unescaped);
}

function unescaped(pair: string): string {
  return pair === "//" ? "." : pair === "/s" ? " " : "";
}

function withQueue(filter: string, queue: string): MappedFilter | TopicFault {
  const subjects = mapFilter(filter);
  return "words" in subjects ? subjects : { subjects, queue };
}

function checkLength(subject: string): string | TopicFault {
  return subject.length > SUBJECT_BYTES_MAX ? TOO_LONG : subject;
}

function breach(words: string): TopicFault {
  return { isMalformed: true, words, reason: REASON.malformedPacket };
}

function refusal(words: string): TopicFault {
  return { isMalformed: false, words, reason: REASON.topicNameInvalid };
}
