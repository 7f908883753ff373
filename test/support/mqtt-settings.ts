// Settings of the MQTT doors for tests: the defaults of the schema, a port that the system chooses, and what a test wants otherwise.

import assert from "node:assert/strict";
import { decode } from "#base/decode.ts";
import { type MqttOptions, mqttOptions } from "#ingress/mqtt/options.ts";

export function mqttSettings(wanted: Partial<MqttOptions> = {}): MqttOptions {
  const decoded = decode(mqttOptions, {});
  assert.ok("value" in decoded);
  return { ...decoded.value, listen: { host: "127.0.0.1", port: 0 }, ...wanted };
}
