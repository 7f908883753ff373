import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isValidSubject, toSubject } from "#core/subject.ts";
import type { DecodeType } from "#ingress/serial/decode-options.ts";
import { SerialError } from "#ingress/serial/errors.ts";
import { escapeToken, parseSubjectTemplate, placeholdersOf, unescapeToken } from "#ingress/serial/subject-template.ts";

const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: fc.constantFrom(".", "*", ">", " ", "$", "%", "\n", "\0", "a", "é", "😀", "\ud800", "\udc00", "u", "D") }),
);

function template(subject: string, decode: "json" | "text" | "raw" = "json") {
  return parseSubjectTemplate({ name: "weather", subject: toSubject(subject), decode });
}

test("any text becomes exactly one literal token, and comes back", () => {
  fc.assert(
    fc.property(anyText, (text) => {
      const token = escapeToken(text);
      const subject = toSubject(token);
      assert.ok(!token.includes("."), `${token} has a dot`);
      assert.ok(isValidSubject(subject), `${token} is no literal subject`);
      assert.equal(unescapeToken(token), text);
    }),
  );
});

test("different texts never meet in one token, on the wire neither", () => {
  fc.assert(
    fc.property(anyText, anyText, (a, b) => {
      if (a !== b) assert.notEqual(toSubject(escapeToken(a)), toSubject(escapeToken(b)));
    }),
  );
});

test("plain names stay readable, and what is not plain is spelt out", () => {
  assert.equal(escapeToken("temp_1-a"), "temp_1-a");
  assert.equal(escapeToken("Außentemperatur"), "Außentemperatur");
  assert.equal(escapeToken("air.temp (°C)"), "air%2Etemp%20%28%C2%B0C%29");
  assert.equal(escapeToken(">"), "%3E");
  assert.equal(escapeToken("*"), "%2A");
  assert.equal(escapeToken("$SYS"), "%24SYS");
  assert.equal(escapeToken(""), "%");
  assert.equal(escapeToken("%"), "%25");
  assert.equal(escapeToken("\ud800"), "%uD800");
});

test("a token that was never escaped does not come back", () => {
  for (const token of ["a.b", "%2", "%41", "%C3", "%uD83D%uDE00", "a b"]) assert.equal(unescapeToken(token), undefined, token);
});

test("name and field take their places", () => {
  assert.equal(template("sensors.{name}.{field}").subjectFor("temp"), "sensors.weather.temp");
  assert.equal(template("s.x{field}y.{field}").subjectFor("a.b"), "s.xa%2Eby.a%2Eb");
  assert.equal(template("s.{name}", "text").subjectFor("whatever"), "s.weather");
  assert.equal(template("größe.{field}").subjectFor("ö"), toSubject("größe.ö"));
});

test("a field never makes a subject of the system's, nor one that is too long", () => {
  assert.equal(template("{field}.x").subjectFor("_INBOX"), undefined);
  assert.equal(template("{field}").subjectFor("$SYS"), "%24SYS");
  assert.equal(template("s.{field}").subjectFor("x".repeat(3000)), undefined);
});

test("the sentence of NMEA and the unit of a Modbus bus have their places, and only theirs", () => {
  const of = (subject: string, decode: DecodeType) => parseSubjectTemplate({ name: "w", subject, decode });
  assert.equal(of("gps.{sentence}.{field}", "nmea").subjectFor("speed", "RMC"), "gps.RMC.speed");
  assert.equal(of("{name}.{unit}", "modbus").subjectFor("", "7"), "w.7");
  assert.equal(of("{name}.{unit}", "modbus").hasField, false);
  assert.throws(() => of("gps.{sentence}", "csv"), /placeholder \{sentence\}; wanted \{name\} or \{field\}/);
  assert.throws(() => of("gps.{unit}", "nmea"), /placeholder \{unit\}; wanted \{name\} or \{field\} or \{sentence\}/);
  assert.deepEqual(placeholdersOf("text"), ["name"]);
});

test("a template that cannot work is refused with what is wrong", () => {
  const cases: [string, "json" | "text", RegExp][] = [
    ["a..{field}", "json", /not a subject/],
    ["a.*.{field}", "json", /wildcards/],
    ["a.>", "json", /wildcards/],
    ["a b", "json", /spaces/],
    ["a.{feld}", "json", /placeholder \{feld\}; wanted \{name\} or \{field\}/],
    ["a.{field", "json", /brace/],
    ["$SYS.{field}", "json", /belongs to the system/],
    ["sensors.{field}", "text", /decode "text" knows no fields/],
  ];
  for (const [subject, decode, message] of cases) {
    assert.throws(
      () => template(subject, decode),
      (error) => error instanceof SerialError && error.code === "SERIAL_SUBJECT_INVALID" && message.test(error.message),
      subject,
    );
  }
});
