// CRC-32C (Castagnoli), the checksum of everything we keep on flash. Eight tables, eight bytes a turn ("slicing by 8").
//
// Reflected polynomial 0x82f63b78, start and end inverted: RFC 3720 appendix B.4 has the vectors, the unit test checks them.

const POLYNOMIAL = 0x82f63b78;
const TABLES = buildTables();

/**
 * The checksum of `bytes[start, end)`. `seed` is the checksum of what comes before (default: nothing), so a long text may be
 * taken in pieces; a number that only we know, given as seed, makes a checksum that outsiders cannot forge into our files.
 * Returns an unsigned 32-bit number. The caller keeps `start <= end <= bytes.length`.
 */
export function crc32c(bytes: Uint8Array, start: number, end: number, seed = 0): number {
  const t = TABLES;
  let crc = ~seed;
  let at = start;
  for (const whole = end - 7; at < whole; at += 8) {
    const low = crc ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24));
    crc =
      t[1792 + (low & 255)]! ^
      t[1536 + ((low >>> 8) & 255)]! ^
      t[1280 + ((low >>> 16) & 255)]! ^
      t[1024 + (low >>> 24)]! ^
      t[768 + bytes[at + 4]!]! ^
      t[512 + bytes[at + 5]!]! ^
      t[256 + bytes[at + 6]!]! ^
      t[bytes[at + 7]!]!;
  }
  for (; at < end; at++) crc = t[(crc ^ bytes[at]!) & 255]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** Table k, entry b: what byte b does to the checksum when k zero bytes follow it. All eight in one array, 256 entries each. */
function buildTables(): Int32Array {
  const tables = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    tables[byte] = crc;
  }
  for (let at = 256; at < tables.length; at++) {
    const shorter = tables[at - 256]!;
    tables[at] = (shorter >>> 8) ^ tables[shorter & 255]!;
  }
  return tables;
}
