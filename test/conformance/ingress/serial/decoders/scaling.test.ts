import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isNumberText, Scaling } from "#ingress/serial/decoders/scaling.ts";

test("a scale is decimal: no digits of a binary fraction come in, and the resolution is kept", () => {
  const cases: [count: number, scale: number, add: number, text: string][] = [
    [214, 0.1, 0, "21.4"],
    [2140, 0.01, 0, "21.40"],
    [-5, 0.01, 0, "-0.05"],
    [0, 0.1, 0, "0.0"],
    [3, 0.1, -40, "-39.7"],
    [7, 2, 1, "15"],
    [7, 1e-7, 0, "0.0000007"],
    [5, 1e9, 0, "5000000000"],
    [250, 0.1, 0.05, "25.05"],
    [-1, 1, 1, "0"],
  ];
  for (const [count, scale, add, text] of cases)
    assert.equal(new Scaling(scale, add).ofInteger(count), text, `${count} × ${scale} + ${add}`);
});

test("a 64-bit number keeps all its digits, scaled or not", () => {
  assert.equal(new Scaling(1, 0).ofBigInt(18_446_744_073_709_551_615n), "18446744073709551615");
  assert.equal(new Scaling(0.001, 0).ofBigInt(-9_223_372_036_854_775_808n), "-9223372036854775.808");
  assert.equal(new Scaling(1000, 0).ofInteger(Number.MAX_SAFE_INTEGER), "9007199254740991000");
});

test("a number of 32 bits has the digits that these hold", () => {
  assert.equal(new Scaling(1, 0).ofSingle(Math.fround(21.4)), "21.4");
  assert.equal(new Scaling(0.1, 0).ofSingle(Math.fround(21.4)), "2.14");
  assert.equal(new Scaling(1, 0).ofSingle(Math.fround(1 / 3)), "0.33333334");
  assert.equal(new Scaling(1, 0).ofSingle(-0), "0");
});

test("what JSON has no number for is null", () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    assert.equal(new Scaling(1, 0).ofDouble(value), "null");
    assert.equal(new Scaling(0.1, 5).ofSingle(value), "null");
  }
  assert.equal(new Scaling(1e9, 0).ofText("1e9999"), "null");
});

test("a written number keeps its digits and becomes one of JSON", () => {
  const cases: [written: string, text: string][] = [
    ["21.40", "21.40"],
    ["+7", "7"],
    ["007.50", "7.50"],
    [".5", "0.5"],
    ["5.", "5"],
    ["-0.0", "-0.0"],
    ["1E5", "1e5"],
    ["12345678901234567890.123456789", "12345678901234567890.123456789"],
  ];
  for (const [written, text] of cases) assert.equal(new Scaling(1, 0).ofText(written), text, written);
  assert.equal(new Scaling(0.5, 0).ofText("21.40"), "10.700");
  for (const none of ["", ".", "-", "1,5", "0x10", "1e", "1 2", "NaN", "1.2.3", "--1"]) {
    assert.equal(isNumberText(none), false, none);
    assert.equal(new Scaling(1, 0).ofText(none), undefined, none);
  }
});

test("every result is JSON and next to what a double would have given", () => {
  const scales = fc.oneof(fc.constantFrom(1, 0.1, 0.001, 10, -0.5), fc.double({ noNaN: true, min: -1e9, max: 1e9 }));
  const adds = fc.oneof(fc.constantFrom(0, -40, 273.15), fc.double({ noNaN: true, min: -1e12, max: 1e12 }));
  const near = (text: string, wanted: number, size: number) => {
    const value = JSON.parse(text) as number;
    assert.ok(Math.abs(value - wanted) <= size * 1e-6 + Number.MIN_VALUE, `${text}, wanted ${wanted}`);
  };
  fc.assert(
    fc.property(
      fc.maxSafeInteger(),
      scales,
      adds,
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      (count, scale, add, value) => {
        const scaling = new Scaling(scale, add);
        near(scaling.ofInteger(count), count * scale + add, Math.abs(count * scale) + Math.abs(add));
        near(scaling.ofBigInt(BigInt(count)), count * scale + add, Math.abs(count * scale) + Math.abs(add));
        const product = value * scale + add;
        if (Number.isFinite(product)) near(scaling.ofDouble(value), product, Math.abs(value * scale) + Math.abs(add));
        const single = Math.fround(Math.abs(value) < 1.2e-38 ? 0 : value); // below, 32 bits hold fewer digits
        if (Number.isFinite(single * scale + add))
          near(scaling.ofSingle(single), single * scale + add, Math.abs(single * scale) + Math.abs(add));
      },
    ),
    { numRuns: 500 },
  );
});
