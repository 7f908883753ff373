// Room on the data volume, and how worn the flash is.
//
//   /sys/block/mmcblk0/device/life_time      "0x02 0x01": two kinds of cells, each in tenths of their life used; 0x0b: beyond it
//   …/pre_eol_info                           0x01 normal, 0x02 80 % of the spare blocks are used, 0x03 90 %
//   /sys/block/*/stat                        seventh number: sectors of 512 bytes written since boot
//
// SD cards tell nothing of their life; eMMC does. Source: JEDEC JESD84-B51, EXT_CSD; Linux Documentation/block/stat.rst.

import { type HostValue, nameOf, quantity, state } from "../host-value.ts";
import { type HostReading, type ReadingContext, readNumber } from "./reading.ts";

const MIB = 1024 * 1024;
const SECTOR_BYTES = 512;
const DEVICES_MAX = 8;
const SPARE_WORDS: Readonly<Record<number, string>> = { 1: "normal", 2: "warning", 3: "urgent" };

/** The file system itself may be the one that hangs, so room and wear are two readings. */
export const roomReading: HostReading = {
  name: "disk room",
  async read({ machine, dataDir }: ReadingContext): Promise<readonly HostValue[]> {
    const { freeBytes, totalBytes } = await machine.disk.space(dataDir);
    if (totalBytes === 0) return [];
    const used = (100 * (totalBytes - freeBytes)) / totalBytes;
    return [quantity("disk_free", freeBytes, "B", 0, 16 * MIB), quantity("disk_used", used, "%", 1, 0.5)];
  },
};

export const wearReading: HostReading = {
  name: "flash wear",
  async read(context: ReadingContext): Promise<readonly HostValue[]> {
    const names = await context.machine.files.list("/sys/block");
    const devices = names.filter((name) => /^(?:mmcblk\d+|nvme\d+n\d+|sd[a-z])$/.test(name)).slice(0, DEVICES_MAX);
    return (await Promise.all(devices.map((name) => readDevice(context, name)))).flat();
  },
};

async function readDevice(context: ReadingContext, device: string): Promise<readonly HostValue[]> {
  const { files } = context.machine;
  const folder = `/sys/block/${device}`;
  const [stat, life, spare, size] = await Promise.all([
    files.read(`${folder}/stat`),
    files.read(`${folder}/device/life_time`),
    files.read(`${folder}/device/pre_eol_info`),
    readNumber(context, `${folder}/size`),
  ]);
  if (size === 0) return []; // a card reader without a card
  const values: HostValue[] = [];
  const sectors = Number(stat?.split(/ +/)[6]);
  if (sectors >= 0) values.push(quantity(`${device}_written`, sectors * SECTOR_BYTES, "B", 0, MIB));
  const tenths = (life ?? "").split(" ").map(Number);
  const worst = Math.max(...tenths.filter((tenth) => tenth >= 1 && tenth <= 11), 0);
  if (worst > 0) values.push(quantity(`${device}_life_used`, worst * 10, "%"));
  const word = SPARE_WORDS[Number(spare)];
  if (word !== undefined) values.push(state(nameOf(`${device}_spare_blocks`), word));
  return values;
}
