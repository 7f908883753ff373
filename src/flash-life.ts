// How worn the card is that the data lies on, and how long it may last. Read when somebody looks, never before.
//
//   /proc/self/mountinfo ─▶ 179:6 ─▶ /sys/dev/block/179:6/../{device/life_time, device/date, size, stat}
//
// eMMC says how much of its life is used, in tenths; with the month it was made in, that gives a pace. An SD card says nothing: what
// was written since the system came up gives the pace, and a life of ENDURANCE writes of its whole size is assumed, which is a
// cautious figure for a cheap card (TLC cells, small writes that cost a multiple). An estimate, and called one.

import type { WallMillis } from "#base/clock.ts";
import type { KernelFiles } from "#base/kernel-files.ts";
import type { FlashReport } from "#status/history-report.ts";

const SECTOR_BYTES = 512;
const ENDURANCE = 300;
/** A shorter time than this says nothing of a day. */
const UPTIME_SECONDS_MIN = 3600;
const YEARS_MAX = 50;
const YEAR_SECONDS = 365.25 * 86_400;

type Life = FlashReport["life"];

const UNKNOWN: Life = { written_total_bytes: null, wear_percent: null, years_left: null, from: null };

export async function flashLife(files: KernelFiles, dataDir: string, wall: WallMillis): Promise<Life> {
  const number = deviceOf((await files.read("/proc/self/mountinfo")) ?? "", dataDir);
  if (number === undefined) return UNKNOWN;
  const own = `/sys/dev/block/${number}`;
  const isPartition = (await files.read(`${own}/partition`)) !== undefined;
  const disk = isPartition ? `${own}/..` : own;
  const [stat, size, life, date, uptime] = await Promise.all(
    [`${disk}/stat`, `${disk}/size`, `${disk}/device/life_time`, `${disk}/device/date`, "/proc/uptime"].map((path) =>
      files.read(path),
    ),
  );
  const sectors = Number(stat?.split(/ +/)[6] ?? Number.NaN);
  const written = sectors >= 0 ? sectors * SECTOR_BYTES : null;
  const tenths = (life ?? "").split(" ").map(Number);
  const worst = Math.max(...tenths.filter((tenth) => tenth >= 1 && tenth <= 11), 0);
  if (worst > 0) {
    const wear = Math.min(100, worst * 10);
    return { written_total_bytes: written, wear_percent: wear, years_left: yearsByWear(wear, date, wall), from: "mmc life_time" };
  }
  const seconds = Number(uptime?.split(" ")[0] ?? 0);
  const bytes = Number(size ?? 0) * SECTOR_BYTES;
  if (written === null || written === 0 || bytes === 0 || !(seconds >= UPTIME_SECONDS_MIN))
    return { ...UNKNOWN, written_total_bytes: written };
  const years = (bytes * ENDURANCE) / (written / seconds) / YEAR_SECONDS;
  return { written_total_bytes: written, wear_percent: null, years_left: inTenths(years), from: "estimate" };
}

/** `date`: "09/2023", when the card was made. */
function yearsByWear(wear: number, date: string | undefined, wall: WallMillis): number | null {
  const found = /^(\d\d)\/(\d{4})$/.exec(date ?? "");
  if (found === null) return null;
  const age = wall / 1000 / YEAR_SECONDS + 1970 - (Number(found[2]) + (Number(found[1]) - 1) / 12);
  return age <= 0.1 ? null : inTenths(((100 - wear) / wear) * age);
}

function inTenths(years: number): number {
  return Math.min(YEARS_MAX, Math.round(years * 10) / 10);
}

/** `major:minor` of what is mounted where the folder lies; undefined: of no disk. */
function deviceOf(mountinfo: string, folder: string): string | undefined {
  let best: { readonly at: string; readonly number: string } | undefined;
  for (const line of mountinfo.split("\n")) {
    const [, , number, , at] = line.split(" ");
    if (number === undefined || at === undefined) continue;
    const isAbove = at === "/" || folder === at || folder.startsWith(`${at}/`);
    if (isAbove && (best === undefined || at.length >= best.at.length)) best = { at, number };
  }
  return best === undefined || best.number.startsWith("0:") ? undefined : best.number;
}
