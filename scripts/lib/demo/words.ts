// What the demo says before the first and after the last line of the picture.

import type { Hub } from "./hub.ts";
import { STREAM_SUBJECTS } from "./hub.ts";
import type { DemoOptions } from "./options.ts";
import type { Scene } from "./scene.ts";
import type { Screen } from "./screen.ts";
import { MQTT_TOPIC, SERIAL_SUBJECT, type Spoke } from "./spoke.ts";
import type { Summary } from "./summary.ts";

/** Readings a second. */
export const MQTT_RATE = 40;
export const SERIAL_RATE = 20;

export function introduce(screen: Screen, options: DemoOptions, hub: Hub, spoke: Spoke): void {
  const lines = [
    "",
    `  usb sensor   ${SERIAL_RATE} readings a second over a pty, published as ${SERIAL_SUBJECT}`,
    `  mqtt device  ${MQTT_RATE} readings a second with QoS 1, on topic ${MQTT_TOPIC}`,
    `  spoke        the daemon, its outbox in ${spoke.dataDir}`,
    "  cable        a leaf link, TLS from the first byte; it will be cut",
    `  hub          nats-server ${hub.version} on ${hub.clientUrl}, with a stream over ${STREAM_SUBJECTS}`,
    "",
  ];
  for (const line of lines) screen.say(line);
  if (options.seconds !== null) return;
  const { user, password } = spoke.visitor;
  screen.heading("  Take part, from another terminal:");
  screen.say(
    `    mosquitto_pub -h 127.0.0.1 -p ${spoke.mqttPort} -u ${user} -P ${password} -q 1 -t sensors/hello -m 'hello, hub'`,
  );
  screen.say(`    scripts/petiole status --data ${spoke.dataDir}`);
  screen.say(`    curl ${spoke.monitorUrl}/metrics`);
  screen.heading("  Ctrl-C ends it: the outbox drains, and every reading is counted.");
  screen.say("");
}

export function conclude(screen: Screen, summary: Summary, scene: Scene, unacknowledged: number): void {
  const { published, delivered, lost, duplicated, sources, link_cuts: cuts } = summary;
  const { mqtt, serial } = sources;
  const slowest = `the slowest PUBACK took ${scene.slowestAckMs.toFixed(0)} ms`;
  screen.say("");
  screen.say(`  mqtt device  ${mqtt.published} acknowledged, ${mqtt.delivered} of them in the stream; ${slowest}`);
  screen.say(`  usb sensor   ${serial.published} written, ${serial.delivered} of them in the stream`);
  screen.say(
    `  cable        cut ${cuts === 1 ? "once" : `${cuts} times`}; at most ${summary.outbox_peak} messages waited in the outbox`,
  );
  if (scene.doubles > 0)
    screen.say(`  hub          got ${scene.doubles} messages twice after a cut, knew them by their id and kept one of each`);
  if (cuts === 0) screen.say("  The cable was not cut yet, so this proves little: let it run a little longer.");
  if (unacknowledged > 0) screen.bad(`  ${unacknowledged} readings of the MQTT device were never acknowledged`);
  if (lost + duplicated + unacknowledged > 0) {
    screen.bad("  the spoke's last words:");
    screen.say(scene.lastWords());
  }
  const line = `published ${published}, delivered ${delivered}, lost ${lost}, duplicated ${duplicated}`;
  if (summary.ok) screen.good(line);
  else if (lost + duplicated > 0) screen.bad(line);
  else screen.heading(line);
}
