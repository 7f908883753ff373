// Where one can go, and who may.

import type { IconName } from "../ui/icon.tsx";
import type { Role } from "./session.tsx";

export interface Way {
  readonly view: "dashboard" | "devices" | "messages" | "settings" | "doctor" | "system" | "wizard";
  readonly icon: IconName;
  readonly least: Role;
  /** Beside the thumb on a phone; the rest is behind "More". */
  readonly isNear: boolean;
}

export const ways: readonly Way[] = [
  { view: "dashboard", icon: "dashboard", least: "viewer", isNear: true },
  { view: "devices", icon: "devices", least: "viewer", isNear: true },
  { view: "messages", icon: "messages", least: "technician", isNear: true },
  { view: "doctor", icon: "doctor", least: "technician", isNear: true },
  { view: "settings", icon: "settings", least: "technician", isNear: false },
  { view: "system", icon: "system", least: "viewer", isNear: false },
  { view: "wizard", icon: "leaf", least: "technician", isNear: false },
];
