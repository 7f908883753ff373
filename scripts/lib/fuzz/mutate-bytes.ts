// Damages bytes the way damage happens, and the way somebody malicious would do it.

/** Values at which lengths and offsets turn. */
const TURNING = [0, 1, 2, 3, 4, 8, 15, 16, 0x3f, 0x40, 0x7f, 0x80, 0xf0, 0xf4, 0xf8, 0xfc, 0xfe, 0xff] as const;
const BYTES_MAX = 600;

/** A copy of `bytes` with one to four damages; `other` lends pieces. Never empty. */
export function mutate(bytes: Buffer, other: Buffer, random: () => number): Buffer {
  const below = (limit: number) => Math.floor(random() * limit);
  let result = Buffer.from(bytes);
  for (let left = 1 + below(4); left > 0; left--) {
    const at = below(result.length);
    switch (below(9)) {
      case 0:
        result[at]! ^= 1 << below(8);
        break;
      case 1:
        result[at] = below(256);
        break;
      case 2:
        result[at] = TURNING[below(TURNING.length)]!;
        break;
      case 3:
        result[at] = (result[at]! + (random() < 0.5 ? 1 : 255)) & 255;
        break;
      case 4:
        result = Buffer.concat([result.subarray(0, at), Buffer.from([below(256)]), result.subarray(at)]);
        break;
      case 5:
        result = Buffer.concat([result.subarray(0, at), result.subarray(at + 1 + below(8))]);
        break;
      case 6: {
        const from = below(result.length);
        result = Buffer.concat([result.subarray(0, at), result.subarray(from, from + below(24)), result.subarray(at)]);
        break;
      }
      case 7: {
        const from = below(other.length + 1);
        result = Buffer.concat([result.subarray(0, at), other.subarray(from)]);
        break;
      }
      default:
        if (random() < 0.3) result = result.subarray(0, at);
        break;
    }
    if (result.length === 0) return Buffer.from([below(256)]);
    if (result.length > BYTES_MAX) result = result.subarray(0, BYTES_MAX);
  }
  return result;
}
