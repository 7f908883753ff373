// aedes as a broker on loopback, a process of its own, as its manual starts one. Its port goes to standard output.

import * as net from "node:net";
import { Aedes } from "aedes";

const broker = await Aedes.createBroker();
const server = net.createServer({ noDelay: true }, (socket) => void broker.handle(socket));
server.listen(0, "127.0.0.1", () => console.log(`listening on ${(server.address() as net.AddressInfo).port}`));
process.on("SIGTERM", () => process.exit(0));
