// The MQTT door.

import { fields, integer, later, nothing, optional, size, type ValueOf } from "#base/schema.ts";
import { listenAddress, token } from "#base/schema-text.ts";

export const mqttOptions = fields({
  listen: optional(listenAddress(), "127.0.0.1:1883", "address of the MQTT port; 0.0.0.0:1883 opens it to the local network"),
  websocket: later(nothing(), null, "MQTT over WebSocket"),
  tls: later(nothing(), null, "MQTT over TLS"),
  account: optional(
    token("an account name"),
    "EDGE",
    "account of devices that log in without a user (no_auth_user decides whether they may)",
  ),
  max_packet: optional(size("1KiB", "256MiB"), "256KiB", "longest packet; a longer one ends its connection before it is read"),
  max_clients: optional(integer(1, 100_000), 1000, "MQTT connections at the same time"),
});

export type MqttOptions = ValueOf<typeof mqttOptions>;
