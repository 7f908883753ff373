// A board of the mind: kernel files as a map from path to text, folders follow from the paths. Files named in `hang` never answer.

import type { DiskSpace } from "#base/disk.ts";
import type { KernelFiles } from "#base/kernel-files.ts";
import type { BusValue } from "#ingress/host/bus/dbus-message.ts";
import type { HostMachine, MemoryFacts } from "#ingress/host/host-machine.ts";

export class FakeHostMachine implements HostMachine {
  readonly texts: Map<string, string>;
  /** Paths, and "room" and "memory", that do not answer until `answer` is called. */
  readonly hang = new Set<string>();
  /** How often each path was asked for. */
  readonly asked = new Map<string, number>();
  room: DiskSpace | Error = { freeBytes: 3e9, totalBytes: 4e9 };
  facts: MemoryFacts = { total: 4e9, available: 3e9, swapTotal: 0, swapUsed: 0 };
  /** What the bus answers; undefined: there is none. */
  busAnswer: readonly BusValue[] | undefined;
  readonly bus: HostMachine["bus"] = {
    call: async ({ destination }) => {
      await this.#ask(destination);
      return this.busAnswer;
    },
  };
  #atOnce = 0;
  /** Most questions that were open at one moment. */
  atOnceMax = 0;
  readonly #waiting: (() => void)[] = [];

  readonly files: KernelFiles = {
    read: async (path) => {
      await this.#ask(path);
      return this.texts.get(path);
    },
    list: async (folder) => {
      await this.#ask(folder);
      const below = [...this.texts.keys()].filter((path) => path.startsWith(`${folder}/`));
      return [...new Set(below.map((path) => path.slice(folder.length + 1).split("/")[0]!))].sort();
    },
  };

  readonly disk = {
    space: async () => {
      await this.#ask("room");
      if (this.room instanceof Error) throw this.room;
      return this.room;
    },
  };

  constructor(texts: Readonly<Record<string, string>> = {}) {
    this.texts = new Map(Object.entries(texts));
  }

  async memory(): Promise<MemoryFacts> {
    await this.#ask("memory");
    return this.facts;
  }

  processBytes(): number {
    return 70e6;
  }

  /** What hangs answers now. */
  answer(): void {
    this.hang.clear();
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  async #ask(what: string): Promise<void> {
    this.asked.set(what, (this.asked.get(what) ?? 0) + 1);
    this.#atOnce += 1;
    this.atOnceMax = Math.max(this.atOnceMax, this.#atOnce);
    if (this.hang.has(what)) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else await Promise.resolve();
    this.#atOnce -= 1;
  }
}

/** What a Raspberry Pi 4 with a weak power supply, Wi-Fi and a modem shows. */
export const PI: Readonly<Record<string, string>> = {
  "/proc/stat": "cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 100 0 100 800 0 0 0 0 0 0",
  "/proc/loadavg": "0.42 0.30 0.25 1/210 999",
  "/proc/uptime": "86400.55 300000.00",
  "/proc/net/dev": [
    "Inter-|   Receive                                                |  Transmit",
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed",
    "    lo:  999    9    0    0    0     0          0         0      999    9    0    0    0     0       0          0",
    "  eth0: 1000000 800    1    2    0     0          0         0   500000  400    0    3    0     0       0          0",
    " wlan0:1 1 0 0 0 0 0 0 2 2 0 0 0 0 0 0",
    " wwan0: 77 1 0 0 0 0 0 0 88 2 0 0 0 0 0 0",
    "balena0: 5 5 0 0 0 0 0 0 5 5 0 0 0 0 0 0",
  ].join("\n"),
  "/proc/net/wireless": [
    "Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE",
    " face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22",
    " wlan0: 0000   54.  -56.  -256        0      0      0      0      0        0",
  ].join("\n"),
  "/sys/class/net/eth0/operstate": "up",
  "/sys/class/net/wlan0/operstate": "up",
  "/sys/class/net/wwan0/operstate": "down",
  "/sys/class/thermal/thermal_zone0/type": "cpu-thermal",
  "/sys/class/thermal/thermal_zone0/temp": "61234",
  "/sys/class/hwmon/hwmon0/name": "cpu_thermal",
  "/sys/class/hwmon/hwmon1/name": "rpi_volt",
  "/sys/class/hwmon/hwmon1/in0_lcrit_alarm": "1",
  "/sys/devices/platform/soc/soc:firmware/get_throttled": "50005",
  "/sys/block/mmcblk0/stat": "10 0 10 5 20 0 2048 5 0 5 5",
  "/sys/block/mmcblk0/size": "62333952",
  "/sys/block/mmcblk0/device/life_time": "0x02 0x01",
  "/sys/block/mmcblk0/device/pre_eol_info": "0x01",
  "/sys/block/mmcblk1/size": "0",
  "/sys/block/mmcblk1/stat": "0 0 0 0 0 0 0 0 0 0 0",
  "/sys/block/loop0/size": "100",
  "/run/systemd/timesync/synchronized": "",
};

/** What a Jetson Orin shows beside it. */
export const JETSON: Readonly<Record<string, string>> = {
  "/sys/class/hwmon/hwmon0/name": "ina3221",
  "/sys/class/hwmon/hwmon0/in1_label": "VDD_IN",
  "/sys/class/hwmon/hwmon0/in1_input": "5040",
  "/sys/class/hwmon/hwmon0/curr1_input": "1480",
  "/sys/class/hwmon/hwmon0/in7_label": "sum of shunt voltages",
  "/sys/class/hwmon/hwmon1/name": "soctherm_oc",
  "/sys/class/hwmon/hwmon1/oc1_event_cnt": "0",
  "/sys/class/hwmon/hwmon1/oc3_event_cnt": "4",
  "/sys/class/thermal/thermal_zone0/type": "gpu-thermal",
  "/sys/class/thermal/thermal_zone0/temp": "-256000",
  "/sys/class/thermal/thermal_zone1/type": "tj-thermal",
  "/sys/class/thermal/thermal_zone1/temp": "48000",
};
