// Commands on their way: order, deadlines, the queue and its end, replies. What the device does with them: write-back.test.ts

import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandBench, DEVICE } from "../../../support/command-bench.ts";

test("a command is written as it is, and answered when it has left", async () => {
  await using bench = await CommandBench.open();
  bench.send("OPEN 3\r\n");
  await bench.clock.pass(0);
  assert.deepEqual(bench.device.written.map(String), ["OPEN 3\r\n"]);
  assert.equal(bench.replies.length, 0, "8 bytes take 8.3 ms at 9600 baud");
  await bench.clock.pass(9);
  assert.deepEqual(bench.answers, [{ ok: true, port: "valve", bytes: 8, waited_ms: 0, took_ms: 8 }]);
  assert.equal(bench.replies[0]!.outcome, "ok");
  assert.equal(bench.ingress.status()[0]!.commands.done, 1);
});

test("a command without a reply subject is carried out all the same", async () => {
  await using bench = await CommandBench.open();
  bench.send("X", { reply: "" });
  await bench.clock.pass(10);
  assert.deepEqual(bench.device.written.map(String), ["X"]);
  assert.deepEqual(bench.replies, []);
});

test("commands are carried out one at a time, in the order they came, each answered", async () => {
  await using bench = await CommandBench.open();
  const gate = Promise.withResolvers<void>();
  bench.device.writeGate = gate.promise;
  for (const [i, word] of ["A", "B", "C"].entries()) bench.send(word, { reply: `inbox.${i}` });
  await bench.clock.pass(10);
  assert.deepEqual(bench.device.written, []);
  assert.equal(bench.ingress.status()[0]!.commands.waiting, 2);
  gate.resolve();
  await bench.clock.pass(10);
  assert.deepEqual(bench.device.written.map(String), ["A", "B", "C"]);
  assert.equal(bench.answers.length, 3);
  assert.ok(bench.answers.every(({ ok }) => ok === true));
});

test("a command whose turn comes after its deadline is refused with an answer, never carried out", async () => {
  await using bench = await CommandBench.open({ write_deadline: "1s" });
  const gate = Promise.withResolvers<void>();
  bench.device.writeGate = gate.promise;
  bench.send("slow");
  bench.send("late", { reply: "inbox.2" });
  bench.send("also late", { headers: ["Petiole-Deadline: 100ms"] });
  bench.send("in time", { headers: ["Petiole-Deadline: 10s"] });
  await bench.clock.pass(1500);
  gate.resolve();
  await bench.clock.pass(10);
  assert.deepEqual(bench.device.written.map(String), ["slow", "in time"]);
  const late = bench.answers.filter(({ error }) => error === "SERIAL_LATE");
  assert.deepEqual(
    late.map(({ ok, port, message, remedy }) => [ok, port, message, remedy]),
    [504, 1404].map((ms) => [
      false,
      "valve",
      `not carried out: its turn came ${ms} ms after its deadline; send it again`,
      "retry",
    ]),
  );
  assert.deepEqual([bench.ingress.status()[0]!.commands.late, bench.ingress.status()[0]!.commands.refused], [2, 2]);
});

test("a command that comes after its deadline is refused at once", async () => {
  await using bench = await CommandBench.open();
  const past = new Date(bench.clock.wall() - 1).toISOString();
  bench.send("X", { headers: [`Petiole-Deadline: ${past}`] });
  bench.send("Y", { headers: ["Nmqtt-Expiry: 0"] });
  await bench.clock.pass(0);
  assert.deepEqual(
    bench.replies.map(({ outcome }) => outcome),
    ["SERIAL_LATE", "SERIAL_LATE"],
  );
  assert.deepEqual(bench.device.written, []);
});

test("an instant is no deadline for a device that does not know the time; a duration is", async () => {
  await using bench = await CommandBench.open();
  bench.isWallTrusted = false;
  bench.send("X", { headers: ["Petiole-Deadline: 2099-01-01T00:00:00Z"] });
  bench.send("Y", { headers: ["Petiole-Deadline: 5s"] });
  bench.send("Z", { headers: ["Petiole-Deadline: soon"] });
  await bench.clock.pass(10);
  assert.deepEqual(
    bench.replies.map(({ outcome }) => outcome),
    ["SERIAL_CLOCK_UNSET", "SERIAL_COMMAND_INVALID", "ok"],
  );
  assert.deepEqual(bench.device.written.map(String), ["Y"]);
});

test("nothing is held for a device that is not there: whoever asked is told at once", async () => {
  await using bench = await CommandBench.open({}, false);
  bench.send("X");
  await bench.clock.pass(0);
  const [answer] = bench.answers;
  assert.equal(answer?.["error"], "SERIAL_ABSENT");
  assert.equal(answer?.["message"], `not carried out: port valve is not open: there is no ${DEVICE}; plug the device in`);
  bench.device = bench.tty.plug({ path: DEVICE });
  await bench.clock.pass(3000);
  assert.equal(bench.ingress.status()[0]!.state, "open");
  assert.deepEqual(bench.device.written, [], "and it is not carried out later");
});

test("one command more than the queue holds is refused, those that wait are not", async () => {
  await using bench = await CommandBench.open({ write_queue: 2 });
  const gate = Promise.withResolvers<void>();
  bench.device.writeGate = gate.promise;
  bench.send("A");
  await bench.clock.pass(0);
  for (const word of ["B", "C", "D"]) bench.send(word);
  await bench.clock.pass(0);
  gate.resolve();
  await bench.clock.pass(10);
  assert.deepEqual(bench.device.written.map(String), ["A", "B", "C"]);
  assert.deepEqual(
    bench.answers.filter(({ ok }) => ok === false).map(({ error, message }) => [error, message]),
    [["SERIAL_QUEUE_FULL", "refused: 2 commands wait for port valve already; send fewer, or raise write_queue"]],
  );
});

test("who is refused hears it at once, however long the command under way takes", async () => {
  await using bench = await CommandBench.open({ write_queue: 1, write_answer: "10m" });
  bench.send("A");
  await bench.clock.pass(0);
  bench.send("B", { headers: ["Petiole-Deadline: 1s"] });
  bench.send("C");
  bench.send("D", { headers: ["Nmqtt-Expiry: 0"] });
  await bench.clock.pass(0);
  assert.deepEqual(
    bench.replies.map(({ outcome }) => outcome),
    ["SERIAL_QUEUE_FULL", "SERIAL_LATE"],
  );
  await bench.clock.pass(2000);
  bench.send("E");
  await bench.clock.pass(0);
  assert.equal(bench.replies.at(-1)?.outcome, "SERIAL_LATE", "B's time is over, and it makes room for E");
  assert.deepEqual([bench.replies.length, bench.ingress.status()[0]!.commands.waiting], [3, 1]);
});

test("a command that is not what the settings say is refused, and the device hears nothing of it", async () => {
  await using bench = await CommandBench.open({ write_payload: { type: "json", template: "SET {value}", append: "\\r" } });
  bench.send("SET 3");
  bench.send('{"value":3}');
  await bench.clock.pass(10);
  assert.equal(bench.answers[0]?.["message"], "the command is not a JSON object; see write_payload");
  assert.deepEqual(bench.device.written.map(String), ["SET 3\r"]);
});

test("a command that is too large is refused before it is kept, and one that is too large once encoded before it is written", async () => {
  await using bench = await CommandBench.open();
  bench.send(Buffer.alloc(256 * 1024 + 1));
  bench.send(Buffer.alloc(64 * 1024 + 1));
  await bench.clock.pass(0);
  assert.deepEqual(
    bench.answers.map(({ error, message }) => [error, message]),
    [
      ["SERIAL_COMMAND_INVALID", "refused: the command has 262145 bytes, the limit is 262144; cut it into several"],
      ["SERIAL_COMMAND_INVALID", "the command has 65537 bytes, at most 65536 are written; cut it into several"],
    ],
  );
  assert.deepEqual(bench.device.written, []);
});

test("a stream's consumer is acknowledged, and a command that failed is not sent again behind anybody's back", async () => {
  await using bench = await CommandBench.open();
  bench.send("A", { reply: "$JS.ACK.CMD.valve.1.1.1.1.0" });
  bench.send("B", { reply: "$JS.ACK.CMD.valve.1.2.2.1.0", headers: ["Petiole-Deadline: 0ms"] });
  await bench.clock.pass(10);
  assert.deepEqual(bench.replies, [
    { payload: "+TERM", outcome: undefined },
    { payload: "+ACK", outcome: undefined },
  ]);
});

test("what the port itself publishes is no command to it", async () => {
  await using bench = await CommandBench.open({
    subject: "echo.{name}",
    decode: { type: "json" },
    write_subject: "echo.valve.x",
  });
  await bench.clock.pass(100);
  bench.device.send('{"x":1}\n');
  await bench.clock.pass(10);
  assert.deepEqual(bench.device.written, []);
});

test("closing refuses what waits, ends what hangs and leaves nothing behind", async () => {
  const bench = await CommandBench.open();
  bench.device.writeGate = Promise.withResolvers<void>().promise;
  bench.send("A");
  bench.send("B");
  await bench.clock.pass(0);
  await bench[Symbol.asyncDispose]();
  assert.deepEqual(
    bench.answers.map(({ error }) => error),
    ["SERIAL_LOST", "SERIAL_ABSENT"],
  );
  bench.send("C");
  await bench.clock.pass(0);
  assert.deepEqual(bench.unheard, ["cmd.valve"], "nobody is there any more, and whoever asks is told");
});

test("a flood of refused commands is answered one by one and said once a minute", async () => {
  await using bench = await CommandBench.open({}, false);
  bench.log.length = 0;
  for (let i = 0; i < 1000; i++) bench.send("X");
  await bench.clock.pass(0);
  assert.equal(bench.replies.length, 1000);
  assert.equal(bench.log.length, 1);
  assert.equal(bench.ingress.status()[0]!.commands.refused, 1000);
});
