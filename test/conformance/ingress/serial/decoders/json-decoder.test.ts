import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { makeDecoder } from "#ingress/serial/make-decoder.ts";
import { unescapeToken } from "#ingress/serial/subject-template.ts";

type Message = [subject: string, payload: string];

/** Decodes one frame that lies in the middle of other bytes, as frames do. */
function decode(
  type: "json" | "text" | "raw",
  subject: string,
  frame: Buffer | string,
): { messages: Message[]; fault: string | undefined } {
  const messages: Message[] = [];
  const decoder = makeDecoder({ name: "bench", subject, decode: { type } }, (on, bytes, start, end) => {
    messages.push([on, bytes.toString("utf8", start, end)]);
  });
  const bytes = Buffer.from(frame);
  const around = Buffer.concat([Buffer.from('}] "'), bytes, Buffer.from(' ,"}')]);
  return { fault: decoder.decode(around, 4, 4 + bytes.length), messages };
}

test("a JSON object gives one message per top-level field, each value as the device wrote it", () => {
  const { messages, fault } = decode(
    "json",
    "s.{name}.{field}",
    ' { "temp" : 21.40, "id":12345678901234567890,"ok":true,"none":null , "deep":{"a":[1, "}"]}, "text":"a\\"b,}" } ',
  );
  assert.equal(fault, undefined);
  assert.deepEqual(messages, [
    ["s.bench.temp", "21.40"],
    ["s.bench.id", "12345678901234567890"],
    ["s.bench.ok", "true"],
    ["s.bench.none", "null"],
    ["s.bench.deep", '{"a":[1, "}"]}'],
    ["s.bench.text", '"a\\"b,}"'],
  ]);
});

test("without {field} the whole JSON text is one message", () => {
  assert.deepEqual(decode("json", "s.{name}", '\t{"a": 1} ').messages, [["s.bench", '{"a": 1}']]);
  assert.deepEqual(decode("json", "s.{name}", "21.40").messages, [["s.bench", "21.40"]]);
});

test("every field of any object arrives under its own name with its own value", () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string({ unit: "binary", maxLength: 20 }), fc.jsonValue(), { maxKeys: 8 }),
      fc.constantFrom("", " ", "\t"),
      (object, indent) => {
        const { messages, fault } = decode("json", "s.{field}", JSON.stringify(object, null, indent).replaceAll("\n", indent));
        assert.equal(fault, undefined);
        const back = messages.map(([subject, payload]) => {
          const token = Buffer.from(subject.slice(2), "latin1").toString("utf8");
          return [unescapeToken(token), JSON.parse(payload)];
        });
        assert.deepEqual(back, JSON.parse(JSON.stringify(Object.entries(object))));
      },
    ),
  );
});

test("a field named twice is published twice, in order", () => {
  assert.deepEqual(decode("json", "s.{field}", '{"a":1,"a":2}').messages, [
    ["s.a", "1"],
    ["s.a", "2"],
  ]);
});

test("names that spell the same character differently meet in one subject", () => {
  assert.deepEqual(decode("json", "s.{field}", '{"\\u0061":1}').messages, [["s.a", "1"]]);
});

test("an empty object has no fields and is no fault", () => {
  assert.deepEqual(decode("json", "s.{field}", "{ }"), { messages: [], fault: undefined });
});

test("what is no JSON is a fault and nothing else", () => {
  for (const frame of ["", "{", '{"a":1', '{"a":1}}', "{a:1}", '{"a":NaN}', "\0\0\0", '{"a":1} x']) {
    assert.deepEqual(decode("json", "s.{field}", frame), { messages: [], fault: "not JSON" }, frame);
  }
});

test("JSON that is no object is a fault where the subject wants fields", () => {
  for (const frame of ["21.4", "[1]", "null", '"a"']) {
    const { messages, fault } = decode("json", "s.{field}", frame);
    assert.equal(messages.length, 0);
    assert.match(fault ?? "", /not an object/);
  }
});

test("a field whose subject cannot be is a fault; the others arrive", () => {
  const { messages, fault } = decode("json", "s.{field}", `{"a":1,"${"x".repeat(3000)}":2,"b":3}`);
  assert.deepEqual(messages, [
    ["s.a", "1"],
    ["s.b", "3"],
  ]);
  assert.match(fault ?? "", /no usable subject/);
});

test("depth costs no stack", () => {
  const deep = `{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
  const { messages, fault } = decode("json", "s.{field}", deep);
  assert.equal(fault, undefined);
  assert.equal(messages[0]?.[1].length, 200_000);
});

test("bytes that are no UTF-8 are a fault for json and text, and pass raw", () => {
  const bad = Buffer.from([0x61, 0xff, 0x62]);
  assert.deepEqual(decode("text", "s", bad), { messages: [], fault: "not UTF-8" });
  assert.deepEqual(decode("json", "s", Buffer.concat([Buffer.from('"'), bad, Buffer.from('"')])), {
    messages: [],
    fault: "not UTF-8",
  });
  assert.equal(decode("raw", "s", bad).messages.length, 1);
});

test("text and raw frames pass as they are, blanks included", () => {
  assert.deepEqual(decode("text", "s.{name}", "  12.4 kg ").messages, [["s.bench", "  12.4 kg "]]);
  assert.deepEqual(decode("raw", "s.{name}", " x ").messages, [["s.bench", " x "]]);
});

test("thousands of invented field names empty the memory of subjects and harm nothing", () => {
  const seen = new Set<string>();
  const decoder = makeDecoder({ name: "p", subject: "s.{field}", decode: { type: "json" } }, (on) => seen.add(on));
  for (let i = 0; i < 3000; i++) {
    const frame = Buffer.from(`{"f${i}":1}`);
    assert.equal(decoder.decode(frame, 0, frame.length), undefined);
  }
  assert.equal(seen.size, 3000);
});

test("only a JSON object shows that its beginning is there", () => {
  const shows = (type: "json" | "text", text: string) =>
    makeDecoder({ name: "p", subject: "s", decode: { type } }, () => undefined).showsItsBeginning(
      Buffer.from(text),
      0,
      text.length,
    );
  assert.equal(shows("json", ' {"a":1}'), true);
  assert.equal(shows("json", "1.4"), false);
  assert.equal(shows("text", "{"), false);
});
