// Subjects: dot-separated tokens; `*` stands for one token, `>` for the rest. The grammar NATS uses, nothing more.
//
// Inside the process a subject is a latin1 string: one char per byte of its UTF-8 form, so that making it from a slab
// is one cheap call and its length is its length on the wire. `displaySubject` turns it back for people.

/** Longest subject we take, in bytes. nats-server bounds the whole protocol line to 4,096 for clients. */
export const SUBJECT_BYTES_MAX = 2048;

const DOT = 0x2e;
const STAR = 0x2a;
const GREATER = 0x3e;

/** No empty token, no white space or control byte, `>` only as the last token when alone. Wildcards allowed. */
export function isValidFilter(subject: string): boolean {
  return scan(subject) !== "invalid";
}

/** A valid subject without wildcard tokens: what a message may be published on. */
export function isValidSubject(subject: string): boolean {
  return scan(subject) === "literal";
}

export function isWildcard(subject: string): boolean {
  return scan(subject) === "wildcard";
}

function scan(subject: string): "invalid" | "literal" | "wildcard" {
  if (subject.length === 0 || subject.length > SUBJECT_BYTES_MAX) return "invalid";
  let tokenStart = 0;
  let wild = false;
  for (let i = 0; i <= subject.length; i++) {
    const byte = i === subject.length ? DOT : subject.charCodeAt(i);
    if (byte <= 0x20 || byte === 0x7f || byte > 0xff) return "invalid";
    if (byte !== DOT) continue;
    if (i === tokenStart) return "invalid";
    if (i === tokenStart + 1) {
      const only = subject.charCodeAt(tokenStart);
      if (only === STAR) wild = true;
      if (only === GREATER) {
        if (i !== subject.length) return "invalid";
        wild = true;
      }
    }
    tokenStart = i + 1;
  }
  return wild ? "wildcard" : "literal";
}

/** Does the literal `subject` fall under `filter`? The naive matcher: the trie in interest.ts is tested against it. */
export function subjectMatches(filter: string, subject: string): boolean {
  const wanted = filter.split(".");
  const tokens = subject.split(".");
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] === ">") return tokens.length > i;
    if (i >= tokens.length) return false;
    if (wanted[i] !== "*" && wanted[i] !== tokens[i]) return false;
  }
  return wanted.length === tokens.length;
}

/** Does every subject that `inner` matches fall under `outer`? Both may hold wildcards. */
export function filterCovers(outer: string, inner: string): boolean {
  const wanted = outer.split(".");
  const tokens = inner.split(".");
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] === ">") return tokens.length > i;
    if (i >= tokens.length || tokens[i] === ">") return false;
    if (wanted[i] === "*") continue;
    if (wanted[i] !== tokens[i]) return false;
  }
  return wanted.length === tokens.length;
}

/** Is there a subject that both filters match? */
export function filtersOverlap(a: string, b: string): boolean {
  const left = a.split(".");
  const right = b.split(".");
  for (let i = 0; ; i++) {
    if (i === left.length || i === right.length) return left.length === right.length;
    if (left[i] === ">" || right[i] === ">") return true;
    if (left[i] !== right[i] && left[i] !== "*" && right[i] !== "*") return false;
  }
}

/** Subjects of the system's own traffic: never kept, never shown to a plain wildcard of an MQTT client. */
export function isReserved(subject: string): boolean {
  return (
    subject.charCodeAt(0) === 0x24 /* $ */ ||
    subject.startsWith("_INBOX.") ||
    subject.startsWith("_R_.") ||
    subject.startsWith("_GR_.")
  );
}

/**
 * The subject whose messages a hub that speaks MQTT keeps under `subject`: QoS 1 and 2 under `$MQTT.msgs.`, retained ones under
 * `$MQTT.rmsgs.` (spec/mqtt-mapping.md §2.1). "": `subject` is none of those.
 */
export function copiedSubject(subject: string): string {
  if (subject.startsWith("$MQTT.msgs.")) return subject.slice(11);
  return subject.startsWith("$MQTT.rmsgs.") ? subject.slice(12) : "";
}

/** Reserved, and nothing that a hub keeps for MQTT either: what could not go at once is not sent later. */
export function isPassing(subject: string): boolean {
  return isReserved(subject) && copiedSubject(subject) === "";
}

/** Subjects on which the spoke tells of itself: nobody else here publishes on them, and they are never counted as lost. */
export function isOfSpoke(subject: string): boolean {
  return subject.startsWith("$PETIOLE.");
}

/** The text as bytes-in-a-string, the form subjects have inside the process. */
export function toSubject(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** A subject as people read it. */
export function displaySubject(subject: string): string {
  return Buffer.from(subject, "latin1").toString("utf8");
}
