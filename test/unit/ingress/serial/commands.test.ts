import assert from "node:assert/strict";
import { test } from "node:test";
import { createLog } from "#base/log.ts";
import { type Batch, flagsFor, headersOf, payloadOf, QOS_UNSTATED, subjectOf } from "#core/batch.ts";
import { BatchBuilder } from "#core/batch-builder.ts";
import type { Origin, Sink } from "#core/sink.ts";
import { openSerial, type SerialIngress } from "#ingress/serial/serial-ingress.ts";
import { AccountRouter, type Door } from "#router/router.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { type FakeDevice, FakeTty } from "../../../support/fake-tty.ts";
import { serialPort } from "../../../support/serial-options.ts";

const PATH = "/dev/ttyUSB0";

interface Heard {
  readonly payload: string;
  readonly outcome: string | undefined;
}

/** A port that takes commands, and somebody who sends them and hears the replies. */
class Bench implements Sink, AsyncDisposable {
  readonly clock = new FakeClock();
  readonly tty = new FakeTty();
  readonly log: string[] = [];
  readonly replies: Heard[] = [];
  readonly readings: string[] = [];
  readonly account = new AccountRouter("EDGE", { random: () => 0, bytes: (count) => Buffer.alloc(count) });
  isWallTrusted = true;
  device: FakeDevice;
  ingress!: SerialIngress;
  readonly #door: Door;
  readonly #unheard: string[] = [];

  private constructor() {
    this.device = this.tty.plug({ path: PATH });
    this.account.subscribe({ filter: "inbox.>", queue: null, sink: this, mayReceive: () => true });
    this.account.subscribe({ filter: "sensors.>", queue: null, sink: this, mayReceive: () => true });
    this.account.subscribe({ filter: "$JS.ACK.>", queue: null, sink: this, mayReceive: () => true });
    const origin: Origin = {
      kind: "nats",
      label: "somebody",
      mayPublish: () => true,
      onDenied: () => undefined,
      onSafe: () => undefined,
      onNoResponders: (batch, index) => this.#unheard.push(subjectOf(batch, index)),
      pause: () => undefined,
      resume: () => undefined,
    };
    this.#door = this.account.open(origin);
  }

  static async open(settings: Readonly<Record<string, unknown>> = {}, isPlugged = true): Promise<Bench> {
    const bench = new Bench();
    if (!isPlugged) bench.tty.unplug(PATH);
    const port = serialPort({
      name: "valve",
      match: { path: PATH },
      baud_rate: 9600,
      decode: { type: "text" },
      subject: "sensors.valve",
      write_subject: "cmd.{name}",
      signal_subject: "cmd.{name}.lines",
      silence_after: null,
      ...settings,
    });
    const env = {
      clock: bench.clock,
      tty: bench.tty,
      log: createLog(bench.clock, "info", (line) => bench.log.push(line.message)),
    };
    const deps = { account: bench.account, env, isWallTrusted: () => bench.isWallTrusted };
    bench.ingress = await openSerial([port], deps, AbortSignal.timeout(60_000));
    await bench.clock.pass(100);
    return bench;
  }

  /** `headers`: lines. */
  send(payload: string | Buffer, wanted: { headers?: readonly string[]; subject?: string; reply?: string } = {}): void {
    const { headers = [], subject = "cmd.valve", reply = "inbox.1" } = wanted;
    const builder = new BatchBuilder();
    builder.beginOwn();
    const block = headers.length === 0 ? "" : `NATS/1.0\r\n${headers.map((line) => `${line}\r\n`).join("")}\r\n`;
    builder.add({
      subject,
      reply,
      headers: Buffer.from(block),
      payload: Buffer.from(payload),
      flags: flagsFor(QOS_UNSTATED, false, false),
    });
    this.#door.publish(builder);
  }

  /** The replies so far, as JSON where they are. */
  get answers(): readonly Readonly<Record<string, unknown>>[] {
    return this.replies.map(({ payload }) => JSON.parse(payload) as Record<string, unknown>);
  }

  get unheard(): readonly string[] {
    return this.#unheard;
  }

  deliver(batch: Batch, index: number): void {
    const payload = payloadOf(batch, index).toString();
    if (subjectOf(batch, index).startsWith("sensors.")) this.readings.push(payload);
    else {
      const found = /Petiole-Outcome: (\S+)/.exec(headersOf(batch, index).toString("latin1"));
      this.replies.push({ payload, outcome: found?.[1] });
    }
  }

  flush(): void {
    return;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.ingress[Symbol.asyncDispose]();
    assert.equal(this.clock.pending, 0);
    assert.equal(this.tty.watchers, 0);
    assert.equal(this.account.subscriptions, 3, "the port's own subscriptions are gone");
  }
}

test("a command is written as it is, and answered when it has left", async () => {
  await using bench = await Bench.open();
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
  await using bench = await Bench.open();
  bench.send("X", { reply: "" });
  await bench.clock.pass(10);
  assert.deepEqual(bench.device.written.map(String), ["X"]);
  assert.deepEqual(bench.replies, []);
});

test("commands are carried out one at a time, in the order they came, each answered", async () => {
  await using bench = await Bench.open();
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
  await using bench = await Bench.open({ write_deadline: "1s" });
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
  await using bench = await Bench.open();
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
  await using bench = await Bench.open();
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
  await using bench = await Bench.open({}, false);
  bench.send("X");
  await bench.clock.pass(0);
  const [answer] = bench.answers;
  assert.equal(answer?.["error"], "SERIAL_ABSENT");
  assert.equal(answer?.["message"], `not carried out: port valve is not open: there is no ${PATH}; plug the device in`);
  bench.device = bench.tty.plug({ path: PATH });
  await bench.clock.pass(3000);
  assert.equal(bench.ingress.status()[0]!.state, "open");
  assert.deepEqual(bench.device.written, [], "and it is not carried out later");
});

test("one command more than the queue holds is refused, those that wait are not", async () => {
  await using bench = await Bench.open({ write_queue: 2 });
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
  await using bench = await Bench.open({ write_queue: 1, write_answer: "10m" });
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
  await using bench = await Bench.open({ write_payload: { type: "json", template: "SET {value}", append: "\\r" } });
  bench.send("SET 3");
  bench.send('{"value":3}');
  await bench.clock.pass(10);
  assert.equal(bench.answers[0]?.["message"], "the command is not a JSON object; see write_payload");
  assert.deepEqual(bench.device.written.map(String), ["SET 3\r"]);
});

test("a command that is too large is refused before it is kept, and one that is too large once encoded before it is written", async () => {
  await using bench = await Bench.open();
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

test("the device's next frame becomes the reply, and stays a reading", async () => {
  await using bench = await Bench.open({ write_answer: "1s", write_payload: { append: "\\n" } });
  await bench.clock.pass(100);
  bench.device.onWrite = (bytes) => bench.device.send(`ok ${bytes}`);
  bench.send("READ");
  await bench.clock.pass(10);
  assert.deepEqual(bench.replies, [{ payload: "ok READ", outcome: "ok" }]);
  assert.deepEqual(bench.readings, ["ok READ"]);
});

test("an answer that is no reading is no error either", async () => {
  await using bench = await Bench.open({ write_answer: "1s", decode: { type: "json" } });
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
  await using bench = await Bench.open({ write_answer: "500ms" });
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
  await using bench = await Bench.open();
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
  await using bench = await Bench.open();
  bench.device.writeGate = Promise.withResolvers<void>().promise;
  bench.send("A");
  bench.send("B");
  await bench.clock.pass(0);
  bench.tty.unplug(PATH);
  await bench.clock.pass(0);
  assert.deepEqual(
    bench.answers.map(({ error }) => error),
    ["SERIAL_LOST", "SERIAL_ABSENT"],
  );
});

test("lines move on a subject of their own, in one queue with what is written", async () => {
  await using bench = await Bench.open();
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

test("a stream's consumer is acknowledged, and a command that failed is not sent again behind anybody's back", async () => {
  await using bench = await Bench.open();
  bench.send("A", { reply: "$JS.ACK.CMD.valve.1.1.1.1.0" });
  bench.send("B", { reply: "$JS.ACK.CMD.valve.1.2.2.1.0", headers: ["Petiole-Deadline: 0ms"] });
  await bench.clock.pass(10);
  assert.deepEqual(bench.replies, [
    { payload: "+TERM", outcome: undefined },
    { payload: "+ACK", outcome: undefined },
  ]);
});

test("what the port itself publishes is no command to it", async () => {
  await using bench = await Bench.open({ subject: "echo.{name}", decode: { type: "json" }, write_subject: "echo.valve.x" });
  await bench.clock.pass(100);
  bench.device.send('{"x":1}\n');
  await bench.clock.pass(10);
  assert.deepEqual(bench.device.written, []);
});

test("closing refuses what waits, ends what hangs and leaves nothing behind", async () => {
  const bench = await Bench.open();
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
  await using bench = await Bench.open({}, false);
  bench.log.length = 0;
  for (let i = 0; i < 1000; i++) bench.send("X");
  await bench.clock.pass(0);
  assert.equal(bench.replies.length, 1000);
  assert.equal(bench.log.length, 1);
  assert.equal(bench.ingress.status()[0]!.commands.refused, 1000);
});
