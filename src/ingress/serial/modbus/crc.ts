// CRC-16/MODBUS: what ends every RTU frame, low byte first. Polynomial 0xA001 (0x8005 reflected), start 0xFFFF.
// Source: MODBUS over Serial Line V1.02, §6.2.2 "CRC Generation".

/** Of the bytes from `start` up to `end`. 0 when these end in their own right checksum. */
export function crcModbus(bytes: Uint8Array, start: number, end: number): number {
  let crc = 0xffff;
  for (let at = start; at < end; at++) crc = TABLE[(crc ^ bytes[at]!) & 0xff]! ^ (crc >>> 8);
  return crc;
}

const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xa001 : crc >>> 1;
  return crc;
});
