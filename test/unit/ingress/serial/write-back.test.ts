// What a device does with a command: it answers, stays silent, takes no bytes, goes away; and its lines move.

import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandBench, DEVICE } from "../../../support/command-bench.ts";

test("the device's next frame becomes the reply, and stays a reading", async () => {
  await using bench = await CommandBench.open({ write_answer: "1s", write_payload: { append: "\\n" } });
  await bench.clock.pass(100);
  bench.device.onWrite = (bytes) => bench.device.send(`ok ${bytes}`);
  bench.send("READ");
  await bench.clock.pass(10);
  assert.deepEqual(bench.replies, [{ payload: "ok READ", outcome: "ok" }]);
  assert.deepEqual(bench.readings, ["ok READ"]);
});

test("an answer that is no reading is no error either", async () => {
  await using bench = await CommandBench.open({ write_answer: "1s", decode: { type: "json" } });
  await bench.clock.pass(100);
  bench.device.onWrite = () => bench.device.send("ACK\n");
  bench.send("READ");
  await bench.clock.pass(10);
  assert.deepEqual(bench.replies, [{ payload: "ACK", outcome: "ok" }]);
  assert.equal(bench.ingress.status()[0]!.decodeErrors, 0);
  bench.device.send("ACK\n");
  assert.equal(bench.ingress.status()[0]!.decodeErrors, 1, "unasked for, it is one");
});

test("a device that does not answer is told from one that does not take the command", async () => {
  await using bench = await CommandBench.open({ write_answer: "500ms" });
  bench.send("A");
  await bench.clock.pass(502);
  bench.device.writeFault = new Error("Input/output error");
  bench.send("B");
  await bench.clock.pass(10);
  assert.deepEqual(
    bench.answers.map(({ error }) => error),
    ["SERIAL_NO_ANSWER", "SERIAL_WRITE_FAILED"],
  );
  assert.match(String(bench.answers[0]?.["message"]), /was written, but the device said nothing within 500 ms/);
  assert.match(String(bench.answers[1]?.["message"]), /does not take 1 bytes: Input\/output error/);
  assert.equal(bench.ingress.status()[0]!.commands.failed, 2);
});

test("a device that takes no bytes is opened anew, and the next command goes through", async () => {
  await using bench = await CommandBench.open();
  bench.device.writeGate = Promise.withResolvers<void>().promise;
  bench.send("A");
  await bench.clock.pass(2010);
  assert.equal(bench.answers[0]?.["error"], "SERIAL_WRITE_FAILED");
  assert.match(String(bench.answers[0]?.["message"]), /takes no bytes; check flow control/);
  bench.device.writeGate = undefined;
  await bench.clock.pass(2000);
  assert.equal(bench.ingress.status()[0]!.opens, 2);
  assert.equal(bench.ingress.status()[0]!.reopens, 1);
  bench.send("B");
  await bench.clock.pass(10);
  assert.deepEqual(bench.device.written.map(String), ["B"]);
});

test("a device that goes while it is written to: the command fails, those behind it are refused", async () => {
  await using bench = await CommandBench.open();
  bench.device.writeGate = Promise.withResolvers<void>().promise;
  bench.send("A");
  bench.send("B");
  await bench.clock.pass(0);
  bench.tty.unplug(DEVICE);
  await bench.clock.pass(0);
  assert.deepEqual(
    bench.answers.map(({ error }) => error),
    ["SERIAL_LOST", "SERIAL_ABSENT"],
  );
});

test("lines move on a subject of their own, in one queue with what is written", async () => {
  await using bench = await CommandBench.open();
  const gate = Promise.withResolvers<void>();
  bench.device.writeGate = gate.promise;
  bench.send("A");
  bench.send('{"dtr":false}', { subject: "cmd.valve.lines" });
  await bench.clock.pass(10);
  assert.deepEqual(bench.device.signals, []);
  gate.resolve();
  await bench.clock.pass(10);
  assert.deepEqual(bench.device.signals, [{ dtr: false }]);
  assert.deepEqual(bench.answers.at(-1), { ok: true, port: "valve", dtr: false, waited_ms: 11, took_ms: 0 });
});
