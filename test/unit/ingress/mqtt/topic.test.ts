import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isValidFilter, isValidSubject, SUBJECT_BYTES_MAX, subjectMatches, toSubject } from "#core/subject.ts";
import { mapInPlace, mapSlowly } from "#ingress/mqtt/publish.ts";
import {
  filterReasonOf,
  isHiddenFrom,
  isNameable,
  mapFilter,
  mapSubscription,
  mapTopic,
  subjectToTopic,
  type TopicFault,
} from "#ingress/mqtt/topic.ts";

const TABLE = {
  "a/b": "a.b",
  "/": "/./",
  "/a/b": "/.a.b",
  "//": "/././",
  "a/b/": "a.b./",
  "a.b": "a//b",
  "/a/": "/.a./",
  "a.b/c": "a//b.c",
  "a//b": "a./.b",
  "a/.b": "a.//b",
  "//a": "/./.a",
  "a./b": "a//.b",
  "a///b": "a././.b",
  "a..b": "a////b",
  "a//": "a././",
  "$x/y": "$x.y",
  a: "a",
  ".": "//",
  "a*b/c>": "a*b.c>",
  "my room/ x": "my/sroom./sx",
  " ": "/s",
  "a. b": "a///sb",
  "*": "/a",
  "a/>": "a./g",
  "*/s": "/a.s",
  "**": "**",
  " *": "/s*",
} as const;

for (const [topic, subject] of Object.entries(TABLE)) {
  test(`topic ${topic} is subject ${subject}, and back`, () => {
    assert.equal(mapTopic(topic), subject);
    assert.equal(subjectToTopic(subject), topic);
  });
}

test("every topic of up to 5 bytes over a, s, g, /, ., *, > and space has a valid subject of its own that leads back to it", () => {
  const subjects = new Set<string>();
  let topics = [""];
  let count = 0;
  for (let length = 1; length <= 5; length++) {
    topics = topics.flatMap((topic) => ["a", "/", ".", " ", "*", ">", "s", "g"].map((next) => topic + next));
    for (const topic of topics) {
      const subject = mapTopic(topic);
      assert.ok(typeof subject === "string" && isValidSubject(subject), topic);
      assert.equal(subjectToTopic(subject), topic);
      subjects.add(subject);
      count += 1;
    }
  }
  assert.equal(subjects.size, count);
});

const topics = fc.string({
  unit: fc.constantFrom("a", "s", "g", "/", ".", "$", "*", ">", " ", "é", "日", "-"),
  minLength: 1,
  maxLength: 40,
});

test("a topic that maps, maps back, to a valid literal subject", () => {
  fc.assert(
    fc.property(topics, (text) => {
      const topic = toSubject(text);
      const subject = mapTopic(topic);
      assert.ok(typeof subject === "string");
      assert.ok(isValidSubject(subject));
      assert.equal(subjectToTopic(subject), topic);
      assert.ok(isNameable(subject, true));
    }),
  );
});

test("the fast way on bytes and the slow one agree, and the fast one changes nothing where it gives up", () => {
  fc.assert(
    fc.property(topics, (text) => {
      const before = Buffer.from(`<<${text}>>`);
      const bytes = Buffer.from(before);
      const end = bytes.length - 2;
      const slow = mapSlowly(before, 2, end);
      if (mapInPlace(bytes, 2, end)) assert.equal(bytes.latin1Slice(2, end), slow);
      else assert.deepEqual(bytes, before);
    }),
  );
});

test("an ordinary topic takes the fast way", () => {
  for (const topic of ["a", "a/b", "plant/7/temp", "a/$x", "A-Z_0:9"])
    assert.ok(mapInPlace(Buffer.from(topic), 0, topic.length), topic);
  for (const topic of ["/a", "a/", "a//b", "$x", "a.b", "a b", "a+", "*"])
    assert.ok(!mapInPlace(Buffer.from(topic), 0, topic.length), topic);
});

test("what has no subject is refused with a reason, and a breach of the standard is told apart", () => {
  const faults: readonly (readonly [topic: string, isMalformed: boolean])[] = [
    ["", true],
    ["a\0b", true],
    ["a b\0", true],
    ["a/+", true],
    ["a/#", true],
    ["a+b", true],
    ["a\r\nb", false],
    ["a\tb", false],
    ["a\x7f", false],
    [toSubject("a\u0080"), false],
    [toSubject("a\u009f"), false],
    ["$PETIOLE/x", false],
    ["$MQTT", false],
    ["$MQTT/x", false],
    ["$JS/API", false],
    ["$SYS/x", false],
    ["$LDS/x", false],
    ["a".repeat(SUBJECT_BYTES_MAX + 1), false],
    [".".repeat(SUBJECT_BYTES_MAX / 2 + 1), false],
  ];
  for (const [topic, isMalformed] of faults) {
    const fault = mapTopic(topic);
    assert.ok(typeof fault !== "string", topic);
    assert.equal(fault.isMalformed, isMalformed, topic);
  }
  assert.equal(mapTopic("a".repeat(SUBJECT_BYTES_MAX)), "a".repeat(SUBJECT_BYTES_MAX));
  assert.equal(typeof mapTopic("$MQTTx/y"), "string");
  assert.equal(typeof mapTopic(toSubject("a\u00a0")), "string");
});

test("filters become one subject, or two where # stands behind a level", () => {
  const table: Readonly<Record<string, readonly string[]>> = {
    "#": [">"],
    "+": ["*"],
    "a/#": ["a.>", "a"],
    "/#": ["/.>", "/"],
    "a/+/#": ["a.*.>", "a.*"],
    "+/+": ["*.*"],
    "+/a": ["*.a"],
    "a.b/+": ["a//b.*"],
    "a//#": ["a./.>", "a./"],
    "/+": ["/.*"],
    "$SYS/#": ["$SYS.>", "$SYS"],
    "*": ["/a"],
    "a/>": ["a./g"],
    "my room/+": ["my/sroom.*"],
  };
  for (const [filter, subjects] of Object.entries(table)) {
    assert.deepEqual(mapFilter(filter), subjects);
    assert.ok(subjects.every(isValidFilter), filter);
  }
});

test("a filter matches by its subjects exactly what MQTT says it matches, never by two of them", () => {
  const levels = fc.array(fc.constantFrom("a", "b", "", ".", "a.b", "*", ">", " "), { minLength: 1, maxLength: 4 });
  const patterns = fc.array(fc.constantFrom("a", "b", "", ".", "a.b", "*", ">", " ", "+", "#"), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(levels, patterns, (name, pattern) => {
      const topic = mapTopic(name.join("/"));
      const subjects = mapFilter(pattern.join("/"));
      if (typeof topic !== "string" || "words" in subjects) return;
      const hits = subjects.filter((subject) => subjectMatches(subject, topic)).length;
      assert.equal(hits, matchesByTheBook(pattern, name) ? 1 : 0, `${pattern.join("/")} on ${name.join("/")}`);
    }),
    { numRuns: 2000 },
  );
});

/** MQTT 3.1.1 §4.7.1, level by level. */
function matchesByTheBook(pattern: readonly string[], name: readonly string[]): boolean {
  for (const [i, level] of pattern.entries()) {
    if (level === "#") return name.length >= i;
    if (i >= name.length || (level !== "+" && level !== name[i])) return false;
  }
  return pattern.length === name.length;
}

test("invalid, dangerous and reserved filters are refused", () => {
  for (const filter of ["a+", "+a", "a#", "#/a", "a/#/b", "##", "a\nb", "$MQTT/#", "$LDS/x", "$share/g/a", "a".repeat(2049)]) {
    const fault = mapFilter(filter);
    assert.ok("words" in fault && !fault.isMalformed, filter);
  }
  for (const filter of ["", "a\0"]) {
    const fault = mapFilter(filter);
    assert.ok("words" in fault && fault.isMalformed);
  }
});

test("a shared subscription is its filter and a queue group that NATS can name", () => {
  assert.deepEqual(mapSubscription("a/#"), { subjects: ["a.>", "a"], queue: "" });
  assert.deepEqual(mapSubscription("$share/workers/a/#"), { subjects: ["a.>", "a"], queue: "workers" });
  assert.deepEqual(mapSubscription("$share/my group//a"), { subjects: ["/.a"], queue: "my/sgroup" });
  assert.deepEqual(mapSubscription("$share/a.b/+"), { subjects: ["*"], queue: "a.b" });
  assert.deepEqual(mapSubscription("$share/*/$SYS/#"), { subjects: ["$SYS.>", "$SYS"], queue: "*" });
});

test("MQTT5-4.8.2-1, MQTT5-4.8.2-2: a shared subscription without a group or a filter, or with a wildcard in its group, is refused", () => {
  const filters = [
    "$share",
    "$share/",
    "$share/g",
    "$share/g/",
    "$share//f",
    "$share/+/f",
    "$share/a#/f",
    "$share/g/a+",
    "$share/a\tb/f",
    "$share/g/$MQTT/x",
  ];
  for (const filter of filters) {
    const fault = mapSubscription(filter);
    assert.ok("words" in fault && !fault.isMalformed, filter);
    assert.equal(filterReasonOf(fault), 0x8f, filter);
  }
});

test("a 5.0 client is told why: 0x90 for a name that has no place here, 0x81 for one that breaks the standard", () => {
  for (const topic of ["a\tb", "$SYS/x", "a".repeat(2049)]) assert.equal((mapTopic(topic) as TopicFault).reason, 0x90);
  for (const topic of ["a\0", "a/+"]) assert.equal((mapTopic(topic) as TopicFault).reason, 0x81);
});

test("MQTT-4.7.2-1: a wildcard at the first level hides what belongs to the system", () => {
  for (const subject of ["$SYS.x", "$x", "_INBOX.1.2", "_R_.x", "_GR_.x"]) {
    assert.ok(isHiddenFrom(">", subject));
    assert.ok(isHiddenFrom("*.>", subject));
    assert.ok(!isHiddenFrom("$SYS.>", subject));
    assert.ok(!isHiddenFrom("_INBOX.*.2", subject));
  }
  assert.ok(!isHiddenFrom(">", "plain.x"));
  assert.ok(!isHiddenFrom(">", "a.$x"));
});

test("MQTT-3.3.2-2: subjects that no topic can carry are known", () => {
  for (const subject of ["a.+", "#", "a+b", "/", "a\0"]) assert.ok(!isNameable(subject, true), subject);
  assert.ok(!isNameable("a", false));
  for (const subject of ["a", "a.b/c", "//", "a*b"]) assert.ok(isNameable(subject, true), subject);
});
