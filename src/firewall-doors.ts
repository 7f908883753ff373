// Which of the settings' ports others should reach: what the packet filter opens on the local interfaces.
// The monitor is not among them: it asks for no login, so whoever wants it from outside writes it under `firewall.allow`.

import type { Endpoint } from "#base/net.ts";
import type { Config } from "#config/config.ts";
import type { Door } from "#firewall/wanted.ts";

export function firewallDoors({ mqtt, listen, websocket, web }: Config): readonly Door[] {
  const found: readonly (readonly [string, Endpoint | null | undefined])[] = [
    ["mqtt", mqtt?.listen],
    ["mqtt-tls", mqtt?.tls?.listen],
    ["mqtt-websocket", mqtt?.websocket?.listen],
    ["nats", listen],
    ["nats-websocket", websocket?.listen],
    ["page", web?.listen],
  ];
  return found.flatMap(([name, endpoint]) => (endpoint == null ? [] : [{ name, endpoint }]));
}
