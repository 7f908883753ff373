import assert from "node:assert/strict";
import { test } from "node:test";
import type { FramingOptions } from "#ingress/serial/framing-options.ts";
import { hear } from "../../../../support/framings.ts";

type Prefixed = FramingOptions & { readonly type: "length_prefix" };

function prefixed(more: Partial<Prefixed>): Prefixed {
  const plain = {
    start: "",
    gap: 50,
    headerOffset: 0,
    lengthBytes: 1,
    endian: "big",
    lengthIncludesHeader: false,
    lengthAdd: 0,
  } as const;
  return { type: "length_prefix", maxFrame: 16, ...plain, ...more };
}

const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");

test("a length counts what the settings say it counts", () => {
  const cases: [options: Partial<Prefixed>, bytes: string, frames: string[]][] = [
    [{}, "02aabb 00 01cc", ["02aabb", "00", "01cc"]],
    [{ lengthIncludesHeader: true }, "03aabb 01", ["03aabb", "01"]],
    [{ lengthBytes: 2 }, "0002aabb", ["0002aabb"]],
    [{ lengthBytes: 2, endian: "little" }, "0200aabb", ["0200aabb"]],
    [{ lengthBytes: 4, headerOffset: 1 }, "7700000002aabb", ["7700000002aabb"]],
    [{ lengthAdd: 2 }, "01aacccc", ["01aacccc"]],
    [{ headerOffset: 2, lengthIncludesHeader: true, lengthAdd: -1 }, "000005aa", ["000005aa"]],
  ];
  for (const [options, bytes, frames] of cases) {
    assert.deepEqual(
      hear(prefixed(options), [hex(bytes)]).events,
      frames.map((frame) => frame.replaceAll(" ", "")),
      bytes,
    );
  }
});

test("a claim beyond the limit reserves nothing: it is said once and silence begins anew", () => {
  const options = prefixed({ lengthBytes: 4, maxFrame: 16 });
  const heard = hear(options, [hex("ffffffff 0102030405060708"), hex("00000001aa"), hex("00000001bb")], new Set([0]));
  assert.deepEqual(heard.events, ["oversize", "00000001aa", "00000001bb"]);
});

test("a claim shorter than its own header is none", () => {
  const heard = hear(prefixed({ lengthIncludesHeader: true, lengthBytes: 2 }), [hex("0001"), hex("0003aa")], new Set([0]));
  assert.deepEqual(heard.events, ["oversize", "0003aa"]);
});

test("with a mark, the next frame is found after noise in the same chunk, and what was passed over is counted", () => {
  const options = prefixed({ start: "\xaa\x55", headerOffset: 2 });
  const heard = hear(options, [hex("00aa00 aa5501cc 0f aaaa5502dddd aa55ff aa5501ee")]);
  assert.deepEqual(heard.events, ["noise 3", "aa5501cc", "noise 2", "aa5502dddd", "oversize", "noise 3", "aa5501ee"]);
});

test("a part of a frame that is followed by silence is torn, and the next byte begins a frame", () => {
  for (const options of [prefixed({}), { type: "fixed", maxFrame: 16, length: 3, start: "", gap: 50 } as const]) {
    const heard = hear(options, [hex("02aa"), hex("02bbcc")], new Set([0]));
    assert.deepEqual(heard.events, ["torn 2", "02bbcc"]);
  }
});

test("without mark and gap each next byte is tried as a beginning", () => {
  assert.deepEqual(hear(prefixed({ gap: 0 }), [hex("ff20 01aa")]).events, ["oversize", "noise 1", "oversize", "noise 1", "01aa"]);
});
