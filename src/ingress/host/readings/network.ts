// Interfaces that lead out of the board: up or down, bytes and errors, and how strong the radio is.
//
// Those of containers and of the system itself are passed over. A modem shows its link and its bytes; its signal is known to its manager
// only. Source: proc(5), /proc/net/dev; wireless(7), /proc/net/wireless.

import { type HostValue, quantity, state } from "../host-value.ts";
import type { HostReading, ReadingContext } from "./reading.ts";

const INTERFACES_MAX = 16;
const MIB = 1024 * 1024;
const OWN = /^(?:lo|veth|docker|br-|balena|resin|supervisor|dummy|tunl|sit|ip6tnl|ifb|gre|erspan|ip_vti|ip6_vti|virbr)/;

export const networkReading: HostReading = {
  name: "network",
  async read(context: ReadingContext): Promise<readonly HostValue[]> {
    const { files } = context.machine;
    const [counters, wireless] = await Promise.all([files.read("/proc/net/dev"), files.read("/proc/net/wireless")]);
    const rows = tableRows(counters)
      .filter(([name]) => !OWN.test(name))
      .slice(0, INTERFACES_MAX);
    const values = rows.flatMap(([name, columns]) => countersOf(name, columns));
    for (const [name] of rows) {
      const operation = await files.read(`/sys/class/net/${name}/operstate`);
      if (operation !== undefined && /^[a-z]{1,20}$/.test(operation)) values.push(state(`${name}_state`, operation));
    }
    for (const [name, columns] of tableRows(wireless).slice(0, INTERFACES_MAX)) {
      const [, quality, level] = columns.map(Number.parseFloat);
      if (quality !== undefined && quality >= 0) values.push(quantity(`${name}_quality`, quality, "of 70", 0, 3));
      if (level !== undefined && level < 0) values.push(quantity(`${name}_signal`, level, "dBm", 0, 3));
    }
    return values;
  },
};

/** bytes packets errs drop fifo frame compressed multicast, received and then sent. */
function countersOf(name: string, columns: readonly string[]): readonly HostValue[] {
  const numbers = columns.map(Number);
  const [received, , receiveErrors, receiveDrops] = numbers;
  const [sent, , sendErrors, sendDrops] = numbers.slice(8);
  if (numbers.length < 12 || numbers.some((number) => !(number >= 0))) return [];
  return [
    quantity(`${name}_received`, received!, "B", 0, MIB),
    quantity(`${name}_sent`, sent!, "B", 0, MIB),
    quantity(`${name}_errors`, receiveErrors! + sendErrors!, "packets"),
    quantity(`${name}_drops`, receiveDrops! + sendDrops!, "packets", 0, 10),
  ];
}

/** Lines such as `  eth0: 1 2 3`; the headings have no name before a colon. */
function tableRows(table: string | undefined): readonly (readonly [name: string, columns: readonly string[]])[] {
  return (table ?? "").split("\n").flatMap((line) => {
    const found = /^ *([^\s:|]{1,15}): *(.+)$/.exec(line);
    return found === null ? [] : [[found[1]!, found[2]!.trim().split(/ +/)] as const];
  });
}
