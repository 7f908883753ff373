// Messages as the page shows them, without a browser: strangers' texts made visible, payloads in every form.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parseHeaders } from "#web/page/messages/headers.ts";
import { bytesOfBase64, hexLines, readable, tryHexBytes, tryIndentJson } from "#web/page/messages/payload.ts";
import { seen } from "#web/page/messages/seen-message.ts";
import { visible, visibleLines } from "#web/page/messages/visible.ts";

suite("strangers' texts", () => {
  test("what cannot be seen is made visible, and what turns the order round is named", () => {
    assert.equal(visible("a\u0000b\r\n\u007f"), "a‹NUL›b‹CR›‹LF›‹DEL›");
    assert.equal(visible("gate\u202e3pm\u2066\u200b\ufeff"), "gate‹202E›3pm‹2066›‹200B›‹FEFF›");
    assert.equal(visible("\ud800 \u0085 \u2028"), "‹D800› ‹0085› ‹2028›");
    assert.equal(visible("<img src=x onerror=alert(1)>"), "<img src=x onerror=alert(1)>");
    assert.equal(visible("Zähler 7 温度 🌡"), "Zähler 7 温度 🌡");
  });

  test("words from right to left are kept apart from the sentence they stand in", () => {
    assert.equal(visible("خزان"), "\u2068خزان\u2069");
  });

  test("a long name takes no more than its share", () => {
    const shown = visible("x".repeat(65_536));
    assert.equal(shown.length, 257);
    assert.ok(shown.endsWith("…"));
  });

  test("a preview is one line, and hides no mark that takes no room", () => {
    const event = { at: "", account: "", subject: "", topic: "", reply: null, from: "mqtt", origin: "", size: 1, headers: null };
    const text = "a\r\n\tb\ufeff\u2028c";
    assert.equal(seen({ ...event, payload_text: text, payload_base64: "", truncated: false }, 1).preview, "a b‹FEFF›‹2028›c");
    const bytes = { ...event, payload_text: null, payload_base64: Buffer.alloc(30, 1).toString("base64"), truncated: false };
    assert.equal(seen(bytes, 1).preview, `${"01 ".repeat(24)}…`);
  });

  test("in payloads lines stay lines", () => {
    assert.equal(visibleLines("a\tb\nc\r\nd\u0007\u202e"), "a\tb\nc‹CR›\nd‹BEL›‹202E›");
  });
});

suite("payloads", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);

  test("JSON is set in lines and keeps every digit and every doubled key", () => {
    assert.equal(
      tryIndentJson('{"a":12345678901234567890,"a":1.10,"b":[],"c":{"d":[1,"x,{"]},"e":{}}'),
      '{\n  "a": 12345678901234567890,\n  "a": 1.10,\n  "b": [],\n  "c": {\n    "d": [\n      1,\n      "x,{"\n    ]\n  },\n  "e": {}\n}',
    );
    assert.equal(tryIndentJson('"a\\"b"'), '"a\\"b"');
    assert.equal(tryIndentJson("{a:1}"), undefined);
    assert.equal(tryIndentJson(""), undefined);
  });

  test("as it fits: objects as JSON, numbers as text, bytes in hex", () => {
    assert.deepEqual(readable(bytes('{"t":1}'), '{"t":1}', "auto"), { kind: "json", text: '{\n  "t": 1\n}' });
    assert.deepEqual(readable(bytes("21.5"), "21.5", "auto"), { kind: "text", text: "21.5" });
    assert.equal(readable(Uint8Array.of(0, 255), null, "auto").kind, "hex");
    assert.equal(readable(Uint8Array.of(0, 255), null, "text").kind, "none");
    assert.equal(readable(bytes("x"), "x", "json").kind, "none");
  });

  test("bytes in hex stand beside their characters, eight to a line", () => {
    assert.equal(hexLines(bytes("AB\u0000defghi")), "0000  41 42 00 64 65 66 67 68  AB·defgh\n0008  69                       i");
    assert.equal(hexLines(new Uint8Array()), "");
    assert.deepEqual([...bytesOfBase64("AP8=")], [0, 255]);
  });

  test("hex is typed with or without spaces, and half a byte is none", () => {
    assert.deepEqual([...tryHexBytes("01 ff,0x3A")!], [1, 255, 58]);
    assert.deepEqual([...tryHexBytes("")!], []);
    assert.equal(tryHexBytes("abc"), undefined);
    assert.equal(tryHexBytes("zz"), undefined);
  });

  test("headers are typed one per line", () => {
    assert.deepEqual(parseHeaders("Unit: °C\n\nUrl: http://x"), { Unit: "°C", Url: "http://x" });
    assert.deepEqual(parseHeaders(""), {});
    assert.equal(parseHeaders("no colon"), undefined);
    assert.equal(parseHeaders(": no name"), undefined);
  });
});
