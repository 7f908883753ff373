// Small readings of bytes that both dialects of the wire share.

/** Decimal digits as a number; -1 if it is anything else or longer than nine digits. */
export function parseCount(bytes: Buffer, start: number, end: number): number {
  if (end - start > 9 || end === start) return -1;
  let value = 0;
  for (let i = start; i < end; i++) {
    const digit = bytes[i]! - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** The beginning of it, for an error's words. */
export function quote(bytes: Buffer, at: number, end: number): string {
  return JSON.stringify(bytes.latin1Slice(at, Math.min(end, at + 60)));
}
