// All views in one file of the bundle, fetched after the shell: together they compress to a good deal less than one by one, and what
// is a click away needs no further request.

import { DashboardView } from "../dashboard/dashboard-view.tsx";
import { DevicesView } from "../devices/devices-view.tsx";
import { DoctorView } from "../doctor/doctor-view.tsx";
import { MessagesView } from "../messages/messages-view.tsx";
import { SettingsView } from "../settings/settings-view.tsx";
import { SystemView } from "../system/system-view.tsx";
import { WizardView } from "../wizard/wizard-view.tsx";

export const views = {
  dashboard: DashboardView,
  devices: DevicesView,
  messages: MessagesView,
  settings: SettingsView,
  doctor: DoctorView,
  system: SystemView,
  wizard: WizardView,
} as const;
