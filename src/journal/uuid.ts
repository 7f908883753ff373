// Boot ids as they stand in files: 16 bytes; all zero where none is known.

const UUID_BYTES = 16;

export function uuidBytes(uuid: string): Buffer {
  const bytes = Buffer.alloc(UUID_BYTES);
  bytes.write(uuid.replaceAll("-", ""), "hex");
  return bytes;
}

/** null: none. */
export function parseUuid(bytes: Buffer, at: number): string | null {
  const hex = bytes.toString("hex", at, at + UUID_BYTES);
  if (/^0*$/.test(hex)) return null;
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
