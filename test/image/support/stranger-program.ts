// Runs in the peer's namespace and does what it is told on standard input, a line each; see stranger.ts.

import * as readline from "node:readline";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { connectAsync, type MqttClient } from "mqtt";

const say = (line: string) => process.stdout.write(`${line}\n`);
let device: MqttClient | undefined;
let hub: NatsConnection | undefined;

async function hubConnect(): Promise<void> {
  const options = { servers: "10.77.0.2:4222", user: "app", pass: "app-password" };
  hub = await connect({ ...options, maxReconnectAttempts: -1, reconnectTimeWait: 100, reconnectJitter: 0 });
  hub.subscribe("sensors.>", {
    callback: (_, message) => {
      say(`got ${message.subject} ${message.string()}`);
      say(`time ${message.subject} ${message.string()} ${message.headers?.get("Petiole-Time") || "unknown"}`);
    },
  });
  await hub.flush();
  say("hub connected");
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const [part, verb, first = "", second = ""] = line.split(" ");
  if (part === "hub" && verb === "connect") await hubConnect();
  else if (part === "hub") {
    hub!.publish(first, second);
    await hub!.flush();
    say(`published ${second}`);
  } else if (verb === "connect") {
    const options = { username: first, password: second, reconnectPeriod: 0, connectTimeout: 30_000 };
    device = await connectAsync("mqtt://10.77.0.1:1883", options);
    say("mqtt connected");
  } else if (verb === "publish") {
    await device!.publishAsync(first, second, { qos: 1 });
    say(`acknowledged ${second}`);
  } else if (verb === "end") {
    await device!.endAsync();
    say("mqtt ended");
  }
}
process.exit(0);
