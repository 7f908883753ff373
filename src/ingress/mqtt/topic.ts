// MQTT topic ↔ NATS subject, reversible: no two topics share a subject, no topic becomes a wildcard.
//
//   plant/7/temp  ↔  plant.7.temp        a level is a token
//   a//b          ↔  a./.b               an empty level is the token "/"
//   a.b/c         ↔  a//b.c              a dot inside a level is "//"
//   a/+/#         →  a.*.>  and  a.*     "#" matches its parent level too, so such a filter is two subscriptions
//
// Topics and subjects are latin1 strings here, one char per byte of UTF-8 (core/subject.ts); whether the bytes are
// well-formed was checked by whoever read them. Source: nats-server's mapping; the table is in README.md.

import { isReserved, SUBJECT_BYTES_MAX } from "#core/subject.ts";

/** Why a topic or filter was not taken. `isMalformed`: the standard forbids it, the connection ends. */
export interface TopicFault {
  readonly isMalformed: boolean;
  readonly words: string;
}

const EMPTY: TopicFault = { isMalformed: true, words: "it is empty" };
const NULL_CHARACTER: TopicFault = { isMalformed: true, words: "it contains the character U+0000" };
const WILDCARD: TopicFault = { isMalformed: true, words: "it contains a wildcard (+ or #)" };
const MISPLACED: TopicFault = { isMalformed: false, words: "+ and # must be a whole level, and # the last one" };
const WHITE_SPACE: TopicFault = {
  isMalformed: false,
  words: "white space and control characters have no place in a NATS subject",
};
const NATS_WILDCARD: TopicFault = { isMalformed: false, words: "a level that is just * or > would be a wildcard in NATS" };
const RESERVED: TopicFault = { isMalformed: false, words: "this name is reserved for the system" };
const SHARED: TopicFault = { isMalformed: false, words: "shared subscriptions ($share/…) are not supported yet" };
const TOO_LONG: TopicFault = { isMalformed: false, words: `its subject would be longer than ${SUBJECT_BYTES_MAX} bytes` };

/** First levels that belong to NATS itself: a device must not forge stored messages, API calls or server events. */
const NO_PUBLISH = new Set(["$MQTT", "$JS", "$SYS", "$LDS"]);
const NO_SUBSCRIBE = new Set(["$MQTT", "$LDS"]);

/** The subject of a topic name, or why it has none. */
export function mapTopic(topic: string): string | TopicFault {
  if (topic.length === 0) return EMPTY;
  const fault = characterFault(topic);
  if (fault !== undefined) return fault;
  if (topic.includes("+") || topic.includes("#")) return WILDCARD;
  if (topic.length > SUBJECT_BYTES_MAX) return TOO_LONG; // a subject is never shorter than its topic
  const levels = topic.split("/");
  if (levels.some(isNatsWildcard)) return NATS_WILDCARD;
  if (NO_PUBLISH.has(levels[0]!)) return RESERVED;
  return checkLength(levels.map(toToken).join("."));
}

/** The one or two subjects to subscribe to for a topic filter, or why it is refused. */
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
    if (isNatsWildcard(level)) return NATS_WILDCARD;
    tokens.push(level === "+" ? "*" : level === "#" ? ">" : toToken(level));
  }
  if (levels[0] === "$share") return SHARED;
  if (NO_SUBSCRIBE.has(levels[0]!)) return RESERVED;
  const subject = checkLength(tokens.join("."));
  if (typeof subject !== "string") return subject;
  const isParentToo = levels.length > 1 && levels.at(-1) === "#";
  return isParentToo ? [subject, tokens.slice(0, -1).join(".")] : [subject];
}

/** The topic of a literal subject: the way back of `mapTopic`. Subjects no topic has lose a lone "/" inside a token. */
export function subjectToTopic(subject: string): string {
  const dotted = subject.replaceAll(".", "\n"); // a subject has no line feed
  return dotted.replaceAll(/\/\/?/g, (slashes) => (slashes.length === 2 ? "." : "")).replaceAll("\n", "/");
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
    if (byte <= 0x20 || byte === 0x7f) fault = WHITE_SPACE;
  }
  return fault;
}

function isNatsWildcard(level: string): boolean {
  return level === "*" || level === ">";
}

function toToken(level: string): string {
  return level === "" ? "/" : level.replaceAll(".", "//");
}

function checkLength(subject: string): string | TopicFault {
  return subject.length > SUBJECT_BYTES_MAX ? TOO_LONG : subject;
}
