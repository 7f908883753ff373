// One question to a service on the system's message bus, such as the modem manager: connect, say who we are, ask, hang up.
//
//   us   NUL AUTH EXTERNAL <uid in hex> ──▶   ◀── OK …      BEGIN, Hello, question ──▶   ◀── answers, one for each
//
// Nobody is started for our sake. Where there is no bus (most containers), or nobody of that name on it, there is no answer, and that is
// no fault. On balenaOS the bus of the host is there with the label io.balena.features.dbus.

import { createConnection, type Socket } from "node:net";
import { type BusMessage, type BusValue, decodeMessage, encodeCall, type MethodCall, messageBytes } from "./dbus-message.ts";

export interface SystemBus {
  /** The values of the answer; undefined: there is none to be had. */
  call(call: MethodCall): Promise<readonly BusValue[] | undefined>;
}

const PLACES = ["/run/dbus/system_bus_socket", "/host/run/dbus/system_bus_socket"];
/** A bus that says nothing for so long is given up. */
const SILENT_MS = 2000;
const AUTH_BYTES_MAX = 4096;
const HELLO: MethodCall = {
  destination: "org.freedesktop.DBus",
  path: "/org/freedesktop/DBus",
  interface: "org.freedesktop.DBus",
  member: "Hello",
};

/** `places`: where the bus may listen; others only under test. */
export function systemBus(places: readonly string[] = PLACES): SystemBus {
  return {
    async call(call) {
      for (const place of places) {
        try {
          return await ask(place, call);
        } catch {
          // no bus here, or one that does not speak with us: the next
        }
      }
      return undefined;
    },
  };
}

async function ask(place: string, call: MethodCall): Promise<readonly BusValue[] | undefined> {
  const socket = createConnection(place);
  try {
    const { promise, resolve, reject } = Promise.withResolvers<BusMessage>();
    socket.setTimeout(SILENT_MS, () => reject(new Error("the bus says nothing")));
    socket.once("error", reject).once("close", () => reject(new Error("the bus hung up")));
    const uid = Buffer.from(String(process.getuid?.() ?? 0)).toString("hex");
    socket.write(`\0AUTH EXTERNAL ${uid}\r\n`);
    converse(socket, call, { resolve, reject });
    const { kind, body } = await promise;
    return kind === "answer" ? body : undefined;
  } finally {
    socket.on("error", () => undefined).destroy();
  }
}

function converse(
  socket: Socket,
  call: MethodCall,
  { resolve, reject }: { readonly resolve: (answer: BusMessage) => void; readonly reject: (fault: Error) => void },
): void {
  let held: Buffer<ArrayBufferLike> = Buffer.alloc(0);
  let isIn = false;
  socket.on("data", (chunk: Buffer) => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    try {
      if (!isIn) {
        const end = held.indexOf("\r\n");
        if (end === -1 && held.length <= AUTH_BYTES_MAX) return;
        if (end === -1 || !held.toString("latin1", 0, end).startsWith("OK")) throw new Error("the bus does not let us in");
        held = held.subarray(end + 2);
        isIn = true;
        socket.write(Buffer.concat([Buffer.from("BEGIN\r\n"), encodeCall(HELLO, 1), encodeCall(call, 2)]));
      }
      for (let whole = messageBytes(held); whole !== undefined && held.length >= whole; whole = messageBytes(held)) {
        const message = decodeMessage(held.subarray(0, whole));
        held = held.subarray(whole);
        if (message.replySerial === 2) resolve(message);
      }
    } catch (error) {
      reject(error as Error);
    }
  });
}
