// Is the board held back, by heat or by a weak power supply?
//
//   Raspberry Pi   get_throttled        bits: 0 under-voltage, 1 frequency capped, 2 throttled, 3 soft temperature limit;
//                                       16 to 19: the same has happened since boot
//   Raspberry Pi   hwmon "rpi_volt"     in0_lcrit_alarm: under-voltage, where get_throttled is not there
//   Jetson Orin    hwmon "soctherm_oc"  oc1_event_cnt …: times that a rail drew too much
//   Jetson         hwmon "ina3221"      voltage and current by rail: VDD_IN is the whole board
//
// Source: Raspberry Pi documentation, "vcgencmd get_throttled"; Jetson Linux Developer Guide, "Power and Performance".

import { type HostValue, quantity, state } from "../host-value.ts";
import { type HostReading, type ReadingContext, readNumber } from "./reading.ts";

const CHIPS_MAX = 32;
const CHANNELS = [1, 2, 3, 4, 5, 6, 7, 8] as const;
const NOW = [
  ["under_voltage", 0],
  ["frequency_capped", 1],
  ["throttled", 2],
  ["temperature_limited", 3],
] as const;
const SINCE_BOOT = 16;

export const powerReading: HostReading = {
  name: "power",
  async read(context: ReadingContext): Promise<readonly HostValue[]> {
    const throttled = await readThrottled(context);
    const chips = (await context.machine.files.list("/sys/class/hwmon")).slice(0, CHIPS_MAX);
    const found = await Promise.all(chips.map((chip) => readChip(context, `/sys/class/hwmon/${chip}`, throttled.length > 0)));
    return [...throttled, ...found.flat()];
  },
};

async function readThrottled({ machine }: ReadingContext): Promise<readonly HostValue[]> {
  const { files } = machine;
  const soc = "/sys/devices/platform/soc";
  const folders = (await files.list(soc)).filter((name) => name.endsWith("firmware"));
  for (const folder of folders.slice(0, CHIPS_MAX)) {
    const text = await files.read(`${soc}/${folder}/get_throttled`);
    if (text === undefined || !/^(?:0x)?[0-9a-f]{1,8}$/i.test(text)) continue;
    const bits = Number.parseInt(text.replace(/^0x/i, ""), 16);
    const isSet = (bit: number) => ((bits >>> bit) & 1) === 1;
    return NOW.flatMap(([name, bit]) => [state(name, isSet(bit)), state(`${name}_since_boot`, isSet(bit + SINCE_BOOT))]);
  }
  return [];
}

async function readChip(context: ReadingContext, folder: string, hasThrottled: boolean): Promise<readonly HostValue[]> {
  const chip = await context.machine.files.read(`${folder}/name`);
  if (chip === "rpi_volt" && !hasThrottled) {
    const alarm = await readNumber(context, `${folder}/in0_lcrit_alarm`);
    return alarm === undefined ? [] : [state("under_voltage", alarm !== 0)];
  }
  if (chip === "soctherm_oc") {
    const counts = await Promise.all([1, 2, 3].map((n) => readNumber(context, `${folder}/oc${n}_event_cnt`)));
    const known = counts.filter((count) => count !== undefined);
    return known.length === 0
      ? []
      : [
          quantity(
            "over_current_events",
            known.reduce((sum, count) => sum + count, 0),
            "events",
          ),
        ];
  }
  return chip === "ina3221" ? await readRails(context, folder) : [];
}

async function readRails(context: ReadingContext, folder: string): Promise<readonly HostValue[]> {
  const rails = await Promise.all(
    CHANNELS.map(async (channel) => {
      const label = await context.machine.files.read(`${folder}/in${channel}_label`);
      if (label === undefined || label === "" || label.startsWith("sum")) return [];
      const [millivolts, milliamperes] = await Promise.all([
        readNumber(context, `${folder}/in${channel}_input`),
        readNumber(context, `${folder}/curr${channel}_input`),
      ]);
      if (millivolts === undefined || milliamperes === undefined) return [];
      return [quantity(`power_${label}`, (millivolts * milliamperes) / 1e6, "W", 2, 0.2)];
    }),
  );
  return rails.flat();
}
