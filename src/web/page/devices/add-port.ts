// Writes one more serial port into the settings, as they are on the device now.

import { api } from "../shell/api.ts";
import type { PortSettings } from "./plugged-device.ts";

interface SettingsAnswer {
  readonly document: { readonly serial?: readonly PortSettings[]; readonly [key: string]: unknown };
  readonly revision: string;
}

/** Resolves with when it takes effect: "now", "at restart". A port of the same name is replaced. Throws ApiError. */
export async function addPort(port: PortSettings): Promise<string> {
  const { document, revision } = await api.get<SettingsAnswer>("/api/settings");
  const others = (document.serial ?? []).filter(({ name }) => name !== port.name);
  const changed = { ...document, serial: [...others, port] };
  const { applied } = await api.put<{ readonly applied: string }>("/api/settings", { document: changed, revision });
  return applied;
}
