import assert from "node:assert/strict";
import { constants } from "node:fs";
import * as fs from "node:fs/promises";
import { test } from "node:test";
import { SerialPort } from "serialport";
import { Pty } from "../../support/pty.ts";

async function openPort(path: string) {
  const port = new SerialPort({ path, baudRate: 9600, autoOpen: false });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  port.open((error) => (error ? reject(error) : resolve()));
  await promise;
  const close = () => (port.isOpen ? new Promise<void>((done) => port.close(() => done())) : Promise.resolve());
  return { port, [Symbol.asyncDispose]: close };
}

/** Opens the port as a program without serialport would: serialport's own reader may sleep on what has arrived, and takes a
 * hang-up for "try again" (src/ingress/serial/README.md tells both). */
async function openFile(path: string): Promise<fs.FileHandle> {
  return await fs.open(path, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
}

async function reads(file: fs.FileHandle, wanted: string): Promise<void> {
  const buffer = Buffer.alloc(64);
  let found = "";
  while (found.length < wanted.length) {
    const bytes = await file.read(buffer).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EAGAIN") throw error; // nothing there yet: ask again
      return { bytesRead: 0 };
    });
    found += buffer.toString("latin1", 0, bytes.bytesRead);
  }
  assert.equal(found, wanted);
}

test("serialport's binding loads, opens the pty, sets it up and writes", async () => {
  await using pty = await Pty.open();
  await using serial = await openPort(pty.path);
  serial.port.write("reset\r\n");
  assert.equal((await pty.hears(/reset\r\n/))[0], "reset\r\n");
});

test("a port that was closed opens again, and bytes pass both ways each time", async () => {
  await using pty = await Pty.open();
  for (const word of ["one\n", "two\n"]) {
    await using file = await openFile(pty.path);
    pty.write(word);
    await reads(file, word);
    await file.write(`got ${word}`);
    await pty.hears(new RegExp(`got ${word}`));
  }
});

test("unplugged, whoever has it open reads an end, and its path is gone; replugged, it is there again", async () => {
  await using pty = await Pty.open();
  await using file = await openFile(pty.path);
  await assert.rejects(file.read(Buffer.alloc(8)), { code: "EAGAIN" });
  await pty.unplug();
  const end = await file.read(Buffer.alloc(8)).then(
    ({ bytesRead }) => bytesRead,
    (error: NodeJS.ErrnoException) => error.code,
  );
  assert.ok(end === 0 || end === "EIO", `read gave ${end}`);
  await assert.rejects(fs.stat(pty.path), { code: "ENOENT" });
  assert.throws(() => pty.write("lost"), /is unplugged/);
  await pty.replug();
  await using again = await openFile(pty.path);
  pty.write("back");
  await reads(again, "back");
});
