// Numbers as JSON texts, scaled without the noise of binary fractions: 214 × 0.1 is 21.4, not 21.400000000000002, and a 64-bit counter
// keeps all its digits. A scale is a decimal number that somebody wrote, so the arithmetic is decimal:
//
//   count × 0.01 + 0.5   =   (count × 1 + 50) / 10²    whole numbers until the point is set; BigInt only beyond 2^53
//
// The digits show the resolution: 2140 × 0.01 is 21.40. What JSON has no number for (NaN, the infinities) is null.

/** A decimal number: units / 10^digits. */
interface Decimal {
  readonly units: bigint;
  readonly digits: number;
}

const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?$/;
/** More digits than this behind the point, or before it, are left to a double. */
const DIGITS_MAX = 40;
const NOTHING: Decimal = { units: 0n, digits: 0 };

export class Scaling {
  readonly isNone: boolean;
  readonly #scaleNumber: number;
  readonly #addNumber: number;
  /** False for a scale or an addend of so many digits that only a double is left. */
  readonly #isDecimal: boolean;
  readonly #scale: Decimal;
  readonly #add: Decimal;
  /** For whole numbers: the same on a common denominator, as doubles while these are exact, else NaN. */
  readonly #digits: number;
  readonly #factor: bigint;
  readonly #term: bigint;
  readonly #fastFactor: number;
  readonly #fastTerm: number;

  constructor(scale: number, add: number) {
    this.isNone = scale === 1 && add === 0;
    this.#scaleNumber = scale;
    this.#addNumber = add;
    const exact = { scale: parseDecimal(String(scale)), add: parseDecimal(String(add)) };
    this.#isDecimal = exact.scale !== undefined && exact.add !== undefined;
    this.#scale = exact.scale ?? NOTHING;
    this.#add = exact.add ?? NOTHING;
    this.#digits = Math.max(this.#scale.digits, this.#add.digits);
    this.#factor = this.#scale.units * power(this.#digits - this.#scale.digits);
    this.#term = this.#add.units * power(this.#digits - this.#add.digits);
    this.#fastFactor = safeNumber(this.#factor);
    this.#fastTerm = safeNumber(this.#term);
  }

  /** `count` is a safe integer. */
  ofInteger(count: number): string {
    if (this.isNone) return String(count);
    if (!this.#isDecimal) return this.#ofNumber(count);
    const units = count * this.#fastFactor + this.#fastTerm;
    if (Number.isSafeInteger(units) && Number.isSafeInteger(count * this.#fastFactor))
      return setPoint(String(units), this.#digits);
    return this.ofBigInt(BigInt(count));
  }

  ofBigInt(count: bigint): string {
    if (this.isNone) return String(count);
    if (!this.#isDecimal) return this.#ofNumber(Number(count));
    return setPoint(String(count * this.#factor + this.#term), this.#digits);
  }

  /** A double; its shortest decimal form is what is scaled. */
  ofDouble(value: number): string {
    if (!Number.isFinite(value)) return "null";
    return this.isNone ? jsonNumber(value) : this.#ofDigits(String(value));
  }

  /** A double that came out of 32 bits: only the digits that these hold. */
  ofSingle(value: number): string {
    if (!Number.isFinite(value)) return "null";
    const shortest = shortestSingle(value);
    return this.isNone ? jsonNumber(shortest) : this.#ofDigits(String(shortest));
  }

  /** A number as somebody wrote it (`+07.50`): its digits are kept, undefined if it is none. */
  ofText(text: string): string | undefined {
    if (!isNumberText(text)) return undefined;
    return this.isNone ? normalNumber(text) : this.#ofDigits(text);
  }

  #ofNumber(value: number): string {
    return jsonNumber(value * this.#scaleNumber + this.#addNumber);
  }

  #ofDigits(text: string): string {
    const value = this.#isDecimal ? parseDecimal(text) : undefined;
    if (value === undefined) return this.#ofNumber(Number(text));
    const product: Decimal = { units: value.units * this.#scale.units, digits: value.digits + this.#scale.digits };
    const digits = Math.max(product.digits, this.#add.digits);
    const units = product.units * power(digits - product.digits) + this.#add.units * power(digits - this.#add.digits);
    return setPoint(String(units), digits);
  }
}

/** An optional sign, digits with at most one point, an optional exponent. */
export function isNumberText(text: string): boolean {
  const found = DECIMAL.exec(text);
  return found !== null && (found[2] !== "" || (found[3] ?? "") !== "");
}

/** The same number as JSON spells it: no plus, no zeros in front, a digit on both sides of the point. */
function normalNumber(text: string): string {
  const found = DECIMAL.exec(text)!;
  const whole = found[2]!.replace(/^0+(?=\d)/, "");
  const fraction = found[3] ?? "";
  const sign = found[1] === "-" ? "-" : "";
  return `${sign}${whole === "" ? "0" : whole}${fraction === "" ? "" : `.${fraction}`}${found[4] === undefined ? "" : `e${found[4]}`}`;
}

function parseDecimal(text: string): Decimal | undefined {
  const found = DECIMAL.exec(text);
  if (found === null) return undefined;
  const fraction = found[3] ?? "";
  const shift = Number(found[4] ?? 0);
  const digits = fraction.length - shift;
  const whole = found[2]!;
  if (digits > DIGITS_MAX || -digits > DIGITS_MAX || whole.length > DIGITS_MAX) return undefined;
  const units = BigInt(`${whole}${fraction}`) * (digits < 0 ? power(-digits) : 1n);
  return { units: found[1] === "-" ? -units : units, digits: Math.max(0, digits) };
}

function power(digits: number): bigint {
  return 10n ** BigInt(digits);
}

function safeNumber(value: bigint): number {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : Number.NaN;
}

/** `"-5"` with two digits behind the point is `"-0.05"`. */
function setPoint(units: string, digits: number): string {
  if (digits === 0) return units;
  const isNegative = units.startsWith("-");
  const plain = (isNegative ? units.slice(1) : units).padStart(digits + 1, "0");
  return `${isNegative ? "-" : ""}${plain.slice(0, -digits)}.${plain.slice(-digits)}`;
}

function jsonNumber(value: number): string {
  return Number.isFinite(value) ? String(value) : "null";
}

/** The number of fewest digits that 32 bits would hold as the same. */
function shortestSingle(value: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const shorter = Number(value.toPrecision(digits));
    if (Math.fround(shorter) === value) return shorter;
  }
  return Number(value.toPrecision(9));
}
