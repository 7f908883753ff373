// A fleet of MQTT devices that all come in the same instant, in a process of its own: `node mqtt-storm.ts PORT COUNT tls|tcp CONNECT-HEX`.
//
// Each one dials, sends its CONNECT (the client id's four last digits are its number), waits for CONNACK, and dials again a second later if
// it was put out. When all are in it prints {"ms", "dials", "slowestMs"}, ends its connections and leaves.

import * as net from "node:net";
import * as tls from "node:tls";

const [port, count, way, connectHex] = process.argv.slice(2);
const template = Buffer.from(connectHex!, "hex");
const digits = template.lastIndexOf("0000");
const startedAt = Date.now();
const sockets: net.Socket[] = [];
let dials = 0;
let isIn = 0;
let slowestMs = 0;

function dial(number: number): void {
  dials += 1;
  const begunAt = Date.now();
  const to = { host: "127.0.0.1", port: Number(port) };
  const socket = way === "tls" ? tls.connect({ ...to, rejectUnauthorized: false }) : net.connect(to);
  const connect = Buffer.from(template);
  connect.write(String(number).padStart(4, "0"), digits, "latin1");
  let isDone = false;
  socket.once(way === "tls" ? "secureConnect" : "connect", () => socket.write(connect));
  socket.once("data", (answer) => {
    if (answer[0] !== 0x20 || answer[3] !== 0) return;
    isDone = true;
    isIn += 1;
    sockets.push(socket);
    slowestMs = Math.max(slowestMs, Date.now() - begunAt);
    if (isIn === Number(count)) end();
  });
  socket.on("error", () => undefined);
  socket.once("close", () => {
    if (!isDone) setTimeout(() => dial(number), 1000);
  });
}

function end(): void {
  process.stdout.write(`${JSON.stringify({ ms: Date.now() - startedAt, dials, slowestMs })}\n`);
  for (const socket of sockets) socket.destroy();
  process.exit(0);
}

for (let number = 0; number < Number(count); number++) dial(number);
