import assert from "node:assert/strict";
import { test } from "node:test";
import type { CellOptions, DecodeOptions } from "#ingress/serial/decode-options.ts";
import { type CsvFormat, splitRow } from "#ingress/serial/decoders/csv-row.ts";
import { openDecoder, valuesOf } from "../../../../support/decoding.ts";

type Csv = DecodeOptions & { readonly type: "csv" };

function column(name: string, more: Partial<CellOptions> = {}): CellOptions {
  return { name, type: "auto", scale: 1, add: 0, unit: null, ...more };
}

function csv(more: Partial<Csv> = {}): Csv {
  const plain = {
    charset: "utf-8",
    columns: null,
    header: false,
    separator: ",",
    quote: '"',
    decimal: ".",
    unitsIn: "headers",
  } as const;
  return { type: "csv", ...plain, ...more };
}

function split(text: string, format: CsvFormat = { separator: ",", quote: '"' }): string[] | undefined {
  const cells: string[] = [];
  const count = splitRow(text, format, cells);
  return count === undefined ? undefined : cells.slice(0, count);
}

test("a row is cut at its separators, blanks outside of quotes are nobody's", () => {
  assert.deepEqual(split("a,b,c"), ["a", "b", "c"]);
  assert.deepEqual(split(" a , b b ,"), ["a", "b b", ""]);
  assert.deepEqual(split('" a ","x ""y"" z"'), [" a ", 'x "y" z']);
  assert.deepEqual(split('"a,b",c'), ["a,b", "c"]);
  assert.deepEqual(split(""), [""]);
  assert.deepEqual(split("a;b,c", { separator: ";", quote: "" }), ["a", "b,c"]);
  assert.deepEqual(split("  a \t b  c ", { separator: " ", quote: '"' }), ["a", "b", "c"]);
  assert.deepEqual(split("a\tb\t", { separator: "\t", quote: '"' }), ["a", "b", ""]);
});

test("a quote that is not closed, or has something behind it, is no row", () => {
  for (const text of ['"a', 'x,"a', '"a"b', '"a" b,c']) assert.equal(split(text), undefined, text);
});

test("named columns become values with their numbers as they were written", () => {
  const feed = openDecoder(csv({ columns: [column("temp"), column("-"), column("state"), column("id")] }));
  const { messages, fault } = feed("21.40,skipped,open,007");
  assert.equal(fault, undefined);
  assert.deepEqual(messages, [
    { subject: "s.temp", payload: "21.40" },
    { subject: "s.state", payload: '"open"' },
    { subject: "s.id", payload: '"007"' },
  ]);
});

test("an empty cell is no value, and a row without a value is no message", () => {
  const feed = openDecoder(csv({ columns: [column("a"), column("b")] }));
  assert.deepEqual(valuesOf(feed("1,")), { a: "1" });
  assert.deepEqual(feed(","), { messages: [], fault: undefined });
});

test("a row of another length is a fault as a whole: nobody knows which cell is missing", () => {
  const feed = openDecoder(csv({ columns: [column("a"), column("b")] }));
  assert.deepEqual(feed("1"), { messages: [], fault: "a row of 1 cells, wanted 2" });
  assert.deepEqual(feed("1,2,3"), { messages: [], fault: "a row of 3 cells, wanted 2" });
});

test("a number column refuses what is none and lets the others pass; nan is null", () => {
  const feed = openDecoder(csv({ columns: [column("a", { type: "number" }), column("b", { type: "number" })] }));
  const broken = feed("2x,5");
  assert.deepEqual(valuesOf(broken), { b: "5" });
  assert.equal(broken.fault, 'no number in column "a"');
  assert.deepEqual(valuesOf(feed("nan,-INF")), { a: "null", b: "null" });
});

test("a decimal comma is a point in JSON, a point beside it is no thousand", () => {
  const feed = openDecoder(
    csv({ separator: ";", decimal: ",", columns: [column("a"), column("b", { type: "number", scale: 10 })] }),
  );
  assert.deepEqual(valuesOf(feed("21,40;3,5")), { a: "21.40", b: "35.0" });
  assert.deepEqual(valuesOf(feed("1.234,5;1")), { a: '"1.234,5"', b: "10" });
});

test("the device's own header row names the columns, and is passed over when it comes again", () => {
  const feed = openDecoder(csv({ header: true }));
  assert.match(feed("21.4,55").fault ?? "", /no header row/);
  assert.deepEqual(feed("temp,hum"), { messages: [], fault: undefined });
  assert.deepEqual(valuesOf(feed("21.4,55")), { temp: "21.4", hum: "55" });
  assert.deepEqual(feed("temp,hum"), { messages: [], fault: undefined });
  feed.reset();
  assert.deepEqual(valuesOf(feed("21.5,56")), { temp: "21.5", hum: "56" }, "the names outlive an unplug");
  assert.deepEqual(feed("temp,hum,door"), { messages: [], fault: undefined });
  assert.deepEqual(valuesOf(feed("21.5,56,open")), { temp: "21.5", hum: "56", door: '"open"' });
});

test("where the settings name the columns, the first row without a number is passed over, and every repetition of it", () => {
  const feed = openDecoder(csv({ header: true, columns: [column("temp"), column("door")] }));
  assert.deepEqual(feed("Temperatur,Tür").messages, []);
  assert.deepEqual(valuesOf(feed("21.4,open")), { temp: "21.4", door: '"open"' });
  assert.deepEqual(feed("Temperatur,Tür").messages, []);
  assert.deepEqual(valuesOf(feed("fault,open")), { temp: '"fault"', door: '"open"' });
});

test("units and scales are told in headers, one per value or one for the whole object", () => {
  const columns = [column("t", { unit: "°C", scale: 0.1 }), column("n")];
  assert.deepEqual(openDecoder(csv({ columns }))("214,3").messages, [
    { subject: "s.t", payload: "21.4", headers: ["Petiole-Unit: °C", "Petiole-Scale: 0.1"] },
    { subject: "s.n", payload: "3" },
  ]);
  assert.deepEqual(openDecoder(csv({ columns }), "s")("214,3").messages, [
    { subject: "s", payload: '{"t":21.4,"n":3}', headers: ['Petiole-Fields: {"t":{"unit":"°C","scale":0.1}}'] },
  ]);
});

test("units are told in the members, or not at all, where the settings say so", () => {
  const columns = [column("t", { unit: "°C", add: -40 }), column("n")];
  assert.deepEqual(openDecoder(csv({ columns, unitsIn: "members" }), "s")("61,3").messages, [
    { subject: "s", payload: '{"t":{"value":21,"unit":"°C","add":-40},"n":3}' },
  ]);
  assert.deepEqual(openDecoder(csv({ columns, unitsIn: "members" }))("61,3").messages[0], {
    subject: "s.t",
    payload: '{"value":21,"unit":"°C","add":-40}',
  });
  assert.deepEqual(openDecoder(csv({ columns, unitsIn: "none" }), "s")("61,3").messages, [
    { subject: "s", payload: '{"t":21,"n":3}' },
  ]);
});

test("each character set reads its own bytes and refuses what it cannot mean", () => {
  const columns = [column("ü")];
  const one = (charset: Csv["charset"], bytes: number[]) => openDecoder(csv({ charset, columns }), "s")(Buffer.from(bytes));
  assert.equal(one("latin1", [0xfc]).messages[0]?.payload, '{"ü":"ü"}');
  assert.equal(one("windows-1252", [0x80]).messages[0]?.payload, '{"ü":"€"}');
  assert.equal(one("utf-8", [0xc3, 0xbc]).messages[0]?.payload, '{"ü":"ü"}');
  assert.equal(one("utf-8-replace", [0xfc]).messages[0]?.payload, '{"ü":"\ufffd"}');
  assert.equal(one("utf-16le", [0x31, 0]).messages[0]?.payload, '{"ü":1}');
  assert.equal(one("utf-8", [0xfc]).fault, "not UTF-8");
  assert.equal(one("ascii", [0xfc]).fault, "not ASCII");
  assert.equal(one("utf-16le", [0x31]).fault, "not UTF-16");
});
