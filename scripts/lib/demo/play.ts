// The play: sets the stage, lets the sources speak while the cable is cut and healed, drains, and counts.
//
//   prepare ─▶ hub ─▶ cable ─▶ spoke ─▶ sources speak ─▶ they fall silent ─▶ outbox drains ─▶ every reading looked up
//
// Whatever was started is ended in reverse, at the end as at any fault or signal before.

import { LinkCutter } from "../../../test/support/link-cutter.ts";
import { Arrivals } from "./arrivals.ts";
import { isCut, rhythmFor } from "./cable.ts";
import { startHub } from "./hub.ts";
import type { Interrupts } from "./interrupts.ts";
import { MqttDevice } from "./mqtt-device.ts";
import type { DemoOptions } from "./options.ts";
import { demoFolder, prepareMachine } from "./preparation.ts";
import { Scene, type Stage } from "./scene.ts";
import type { Screen } from "./screen.ts";
import { laySerialCable, type SerialCable, SerialSensor } from "./serial-sensor.ts";
import { MQTT_TOPIC, startSpoke } from "./spoke.ts";
import { type Summary, summarise } from "./summary.ts";
import { conclude, introduce, MQTT_RATE, SERIAL_RATE } from "./words.ts";

/** What the spoke may take to be back after the cable is whole. */
const RECONNECT_SECONDS = 1;

/** Rejects when it cannot be played to its end: a fault in words, or the reason of `interrupts.stop`. */
export async function playDemo(options: DemoOptions, screen: Screen, interrupts: Interrupts): Promise<Summary> {
  const fault = new AbortController();
  const over = new AbortController();
  const signal = AbortSignal.any([interrupts.stop, fault.signal, over.signal]);
  const house: House = { screen, signal, onFault: (why) => fault.abort(why) };

  await using scope = new AsyncDisposableStack();
  const folder = scope.use(demoFolder());
  try {
    screen.heading("Petiole demo: from the wire to the hub, over a cable that is cut");
    const binary = await prepareMachine(folder.path, (line) => screen.say(line), signal);
    const stage = await setStage(binary, folder.path, house, scope);
    introduce(screen, options, stage.hub, stage.spoke);
    return await perform(stage, options, interrupts, scope);
  } finally {
    over.abort(new Error("the demo is over")); // a program that ends from here on was told to
  }
}

/** What every part is given. */
interface House {
  readonly screen: Screen;
  /** Aborted when a part met a fault, when the visitor stops the demo, and when it is over. */
  readonly signal: AbortSignal;
  onFault(why: Error): void;
}

type FullStage = Stage & House & { readonly serialCable: SerialCable };

async function setStage(binary: string, folder: string, house: House, scope: AsyncDisposableStack): Promise<FullStage> {
  const { screen, signal, onFault } = house;
  const arrivals = new Arrivals((line) => screen.event(line, "magenta"));
  const hub = scope.use(await startHub(binary, folder, arrivals, signal, onFault));
  const cable = scope.use(await LinkCutter.before(hub.leafPort));
  const serialCable = scope.use(await laySerialCable(folder, signal, onFault));
  const { caFile, leafUser, leafPassword } = hub;
  const wiring = { leafUrl: `tls://127.0.0.1:${cable.port}`, caFile, leafUser, leafPassword, ttyPath: serialCable.near };
  const spoke = scope.use(await startSpoke(folder, wiring, signal, onFault));
  return { ...house, arrivals, hub, cable, serialCable, spoke };
}

async function perform(
  stage: FullStage,
  { seconds }: DemoOptions,
  interrupts: Interrupts,
  scope: AsyncDisposableStack,
): Promise<Summary> {
  const { arrivals, hub, onFault, screen, serialCable, signal, spoke } = stage;
  const rhythm = rhythmFor(seconds);
  const cutSeconds = (rhythm.cutUntilMs - rhythm.cutFromMs) / 1000;
  screen.scaleOutbox((MQTT_RATE + SERIAL_RATE) * (cutSeconds + RECONNECT_SECONDS));

  const scene = new Scene(stage);
  const sensor = scope.use(await SerialSensor.start(serialCable.far, SERIAL_RATE, signal, onFault));
  const onAcknowledged = (n: number, ms: number) => scene.onAcknowledged(n, ms);
  const login = { port: spoke.mqttPort, ...spoke.device };
  const device = scope.use(await MqttDevice.start({ ...login, topic: MQTT_TOPIC, rate: MQTT_RATE, onAcknowledged, onFault }));
  interrupts.allowFinish();
  while (!interrupts.finish.aborted && (seconds === null || scene.elapsedMs < seconds * 1000)) {
    await scene.moment();
    if (isCut(rhythm, scene.elapsedMs)) scene.cut();
    else scene.heal();
  }
  const spokenSeconds = scene.elapsedMs / 1000;

  scene.heal();
  screen.event("the sources fall silent; what still waits drains");
  device.fallSilent();
  arrivals.serial.publishedThrough(await sensor.stop());
  const isDrained = await scene.drain(() => device.unacknowledged);
  const summary = summarise({
    mqtt: arrivals.mqtt.tally(),
    serial: arrivals.serial.tally(),
    linkCuts: scene.cuts,
    outboxPeak: scene.outboxPeak,
    seconds: spokenSeconds,
    hubVersion: hub.version,
    isDrained,
  });
  conclude(screen, summary, scene, device.unacknowledged);
  return summary;
}
