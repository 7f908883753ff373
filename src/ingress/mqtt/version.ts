// The three versions of MQTT by their protocol level, the byte a CONNECT states: 3 is MQTT 3.1, 4 is 3.1.1, 5 is 5.0.

export type MqttVersion = 3 | 4 | 5;

const NAMES: Readonly<Record<MqttVersion, string>> = { 3: "3.1", 4: "3.1.1", 5: "5.0" };

export function versionName(version: MqttVersion): string {
  return NAMES[version];
}
