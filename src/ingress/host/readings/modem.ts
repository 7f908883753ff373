// How a cellular modem fares, as ModemManager knows it: signal, state, technology, and whether it is at home in its network.
// Source: ModemManager D-Bus reference, org.freedesktop.ModemManager1.Modem and .Modem.Modem3gpp; flags and enumerations there.

import type { BusValue } from "../bus/dbus-message.ts";
import { type HostValue, quantity, state } from "../host-value.ts";
import type { HostReading, ReadingContext } from "./reading.ts";

const SERVICE = "org.freedesktop.ModemManager1";
const MODEMS_MAX = 4;
const NAME_CHARS_MAX = 64;
const STATES: Readonly<Record<number, string>> = {
  [-1]: "failed",
  0: "unknown",
  1: "initializing",
  2: "locked",
  3: "disabled",
  4: "disabling",
  5: "enabling",
  6: "enabled",
  7: "searching",
  8: "registered",
  9: "disconnecting",
  10: "connecting",
  11: "connected",
};
const REGISTRATIONS: Readonly<Record<number, string>> = { 0: "idle", 1: "home", 2: "searching", 3: "denied", 5: "roaming" };
/** The newest of those that are in use, by their bits. */
const TECHNOLOGIES: readonly (readonly [bit: number, name: string])[] = [
  [15, "5g"],
  [16, "cat-m"],
  [17, "nb-iot"],
  [14, "lte"],
  [9, "hspa+"],
  [8, "hspa"],
  [7, "hsupa"],
  [6, "hsdpa"],
  [5, "umts"],
  [4, "edge"],
  [3, "gprs"],
  [1, "gsm"],
];

export const modemReading: HostReading = {
  name: "modem",
  async read({ machine }: ReadingContext): Promise<readonly HostValue[]> {
    const answer = await machine.bus.call({
      destination: SERVICE,
      path: "/org/freedesktop/ModemManager1",
      interface: "org.freedesktop.DBus.ObjectManager",
      member: "GetManagedObjects",
    });
    const objects = answer?.[0];
    if (!(objects instanceof Map)) return [];
    const modems = [...objects.values()].slice(0, MODEMS_MAX);
    return modems.flatMap((modem, i) => valuesOf(modem, i === 0 ? "modem" : `modem_${i + 1}`));
  },
};

function valuesOf(interfaces: BusValue, name: string): readonly HostValue[] {
  const modem = propertiesOf(interfaces, `${SERVICE}.Modem`);
  const network = propertiesOf(interfaces, `${SERVICE}.Modem.Modem3gpp`);
  const values: HostValue[] = [];
  const quality = modem("SignalQuality");
  if (Array.isArray(quality) && typeof quality[0] === "number") values.push(quantity(`${name}_signal`, quality[0], "%", 0, 3));
  const at = STATES[Number(modem("State"))];
  if (at !== undefined) values.push(state(`${name}_state`, at));
  const used = modem("AccessTechnologies");
  const technology = typeof used === "number" ? TECHNOLOGIES.find(([bit]) => (used >>> bit) & 1)?.[1] : undefined;
  if (technology !== undefined) values.push(state(`${name}_technology`, technology));
  const registration = REGISTRATIONS[Number(network("RegistrationState") ?? Number.NaN)];
  if (registration !== undefined) values.push(state(`${name}_registration`, registration));
  const operator = network("OperatorName");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is being removed
  const shown = typeof operator === "string" ? operator.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, "?") : "";
  if (shown !== "") values.push(state(`${name}_operator`, shown.slice(0, NAME_CHARS_MAX)));
  return values;
}

function propertiesOf(interfaces: BusValue, name: string): (property: string) => BusValue | undefined {
  const properties = interfaces instanceof Map ? interfaces.get(name) : undefined;
  return (property) => (properties instanceof Map ? properties.get(property) : undefined);
}
