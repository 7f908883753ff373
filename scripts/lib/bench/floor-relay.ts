// The least that a gateway in Node can do: bytes from TCP to TLS, and nothing else. No MQTT but the answer to the first packet, no
// subjects, no compression, nothing kept. What it costs is the floor under every figure of the spoke. A process of its own.
//
//   floor-relay MQTT_PORT SINK_PORT CA_FILE

import * as fs from "node:fs";
import * as net from "node:net";
import * as tls from "node:tls";

const CONNACK = Buffer.from([0x20, 2, 0, 0]);

const [mqttPort, sinkPort, caFile] = process.argv.slice(2);

const uplink = tls.connect({ host: "127.0.0.1", port: Number(sinkPort), ca: fs.readFileSync(caFile!), servername: "localhost" });
uplink.setNoDelay(true);
uplink.on("error", fail);
uplink.once("secureConnect", () => server.listen(Number(mqttPort), "127.0.0.1", () => console.log("listening")));

let gathered: Buffer[] = [];
/** What all devices sent in one turn of the event loop goes in one record, as it does in the spoke. */
function relay(bytes: Buffer): void {
  if (gathered.push(bytes) > 1) return;
  setImmediate(() => {
    uplink.write(gathered.length === 1 ? gathered[0]! : Buffer.concat(gathered));
    gathered = [];
  });
}

const server = new net.Server({ noDelay: true });
server.on("connection", (socket) => {
  socket.on("error", fail);
  socket.once("data", () => {
    socket.write(CONNACK);
    socket.on("data", relay);
  });
});
process.on("SIGTERM", () => process.exit(0));

function fail(error: Error): never {
  console.error(error.message);
  process.exit(1);
}
