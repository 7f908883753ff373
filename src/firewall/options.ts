// Our own nftables table. It does not exist yet; `enabled: false` is all the settings take for now.

import { fields, flag, later, list, type ValueOf } from "#base/schema.ts";
import { text } from "#base/schema-text.ts";

export const firewallOptions = fields({
  enabled: later(flag(), false, "drop what comes in and was not asked for"),
  lan_interfaces: later(list(text("an interface name")), ["eth0", "wlan0"], "interfaces of the local network"),
  allow: later(list(text("a rule")), [], "what is let in besides"),
});

export type FirewallOptions = ValueOf<typeof firewallOptions>;
