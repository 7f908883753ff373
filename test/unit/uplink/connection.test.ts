// The bytes of one leaf connection, out and in, and how it ends. What may be under way: connection-window.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bench, bench, countOf, fill, introduced, SlowStream } from "../../support/connection-bench.ts";
import { turn } from "../../support/fake-clock.ts";

// ── out ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

test("what is written in one turn of the event loop leaves in one write", async () => {
  const at = await introduced();
  for (let i = 0; i < 50; i++) {
    fill(at, 10);
    at.connection.flush();
  }
  at.connection.barrier();
  await turn();
  assert.equal(at.stream.writes.length, 1);
  assert.equal(at.stream.text, `${"x".repeat(500)}PING\r\n`);
  assert.deepEqual([at.connection.plainBytesOut, at.connection.bytesOut], [512, 512], "with the PING of the introduction");
});

test("nothing gathered is nothing written", async () => {
  const at = await introduced();
  at.connection.flush();
  at.connection.flushSoon();
  await turn();
  at.connection.flushNow();
  assert.deepEqual(at.stream.writes, []);
  assert.equal(at.clock.pending, 0);
});

test("bytes handed to the socket stay as they were, whatever is written behind them before it takes them", async () => {
  const at = await introduced();
  at.stream.isTaking = false;
  const lines = Array.from({ length: 40 }, (_, i) => `${i}:`.padEnd(i % 2 === 0 ? 30 : 20_000, String(i % 10)));
  for (const line of lines) {
    at.connection.out.text(line);
    at.connection.flushNow();
  }
  at.stream.takesAll();
  await turn();
  assert.equal(at.stream.text.replaceAll("PING\r\n", ""), lines.join(""));
});

test("many small flushes to a socket that takes none do not hold a gathering buffer each", async () => {
  const at = await introduced();
  at.stream.isTaking = false;
  const held = new Set<ArrayBufferLike>();
  const write = at.stream.write.bind(at.stream);
  at.stream.write = ((bytes: Buffer, done: () => void) => {
    held.add(bytes.buffer);
    return write(bytes, done);
  }) as typeof at.stream.write;
  for (let i = 0; i < 4000; i++) {
    fill(at, 100);
    at.connection.flushNow();
  }
  const bytes = [...held].reduce((sum, buffer) => sum + buffer.byteLength, 0);
  assert.ok(bytes < 4 * 400_000, `${bytes} bytes are held for 400,000`);
  at.connection.abort();
});

test("while INFO and CONNECT are under way nothing goes in front of them or behind them, however long they are", async () => {
  const at = bench();
  at.stream.says("INFO {}\r\nPING\r\n");
  await turn();
  at.connection.out.text(`CONNECT ${"j".repeat(10_000)}\r\n`);
  at.connection.flushNow();
  await turn();
  assert.equal(
    at.stream.text,
    `CONNECT ${"j".repeat(10_000)}\r\n`,
    "no PONG, and no PING whose PONG would be taken for the hub's interest",
  );
  at.connection.ping();
  await turn();
  assert.ok(at.stream.text.endsWith("\r\nPONG\r\nPING\r\n"), "the hub's PING is answered behind CONNECT");
});

// ── PINGs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

test("each PONG is taken for the oldest PING, and only a barrier's is a receipt", async () => {
  const at = await introduced();
  at.connection.ping();
  at.connection.barrier();
  at.connection.flushNow();
  at.connection.barrier();
  at.connection.flushNow();
  at.stream.says("PONG\r\n");
  await turn();
  assert.deepEqual(at.heard, ["rtt 0"]);
  at.clock.advance(7);
  at.stream.says("PONG\r\nPONG\r\n");
  await turn();
  assert.deepEqual(at.heard, ["rtt 0", "rtt 7", "receipt", "rtt 7", "receipt"]);
});

test("PONGs that nobody asked for confirm nothing, also while a barrier waits to leave", async () => {
  const at = await introduced();
  at.stream.says("PONG\r\nPONG\r\n");
  await turn();
  at.connection.barrier(); // gathered, not flushed
  at.stream.says("PONG\r\n");
  await turn();
  assert.deepEqual(at.heard, []);
  at.connection.flushNow();
  at.stream.says("PONG\r\n");
  await turn();
  assert.deepEqual(at.heard, ["rtt 0", "receipt"]);
  assert.equal(at.connection.flow.pings, 0);
});

test("a hub's PINGs are answered at once, whatever flush_delay is", async () => {
  const at = await introduced({ flushDelay: 5000 });
  fill(at, 10);
  at.connection.flush();
  at.stream.says("PING\r\nPING\r\n");
  await turn();
  await turn();
  assert.equal(at.stream.text, `${"x".repeat(10)}PONG\r\nPONG\r\n`);
  assert.equal(at.clock.pending, 0, "nothing is left for later");
});

test("a hub that floods us with PINGs and reads none of the answers costs no memory, and gets them when it reads", async () => {
  const at = await introduced();
  at.stream.isTaking = false;
  const flood = Buffer.from("PING\r\n".repeat(10_000));
  for (let i = 0; i < 100; i++) {
    at.stream.says(flood);
    await turn();
  }
  const { out } = at.connection;
  assert.ok(at.stream.writableLength + out.pendingBytes < 1.2 * 1024 * 1024, `${at.stream.writableLength} bytes wait`);
  at.stream.takesAll();
  for (let i = 0; i < 300; i++) await turn();
  assert.equal(countOf(at.stream.text, "PONG\r\n"), 1_000_000);
});

// ── in ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

test("once a handler has ended the connection, the rest of the chunk counts no more", async () => {
  for (const rest of [
    "PONG\r\nPONG\r\n",
    "LS+ a\r\nLS- a\r\n",
    "LMSG a 1\r\nx\r\n",
    "INFO {}\r\n",
    "-ERR 'b'\r\n",
    "PING\r\n",
    "NONSENSE\r\n",
  ]) {
    const at: Bench = await introduced({
      on: {
        onError: (text) => {
          at.heard.push(`-err ${text}`);
          at.connection.abort();
        },
      },
    });
    at.connection.barrier();
    at.connection.flushNow();
    at.stream.says(`LMSG a 1\r\n1\r\n-ERR 'a'\r\n${rest}`);
    await turn();
    assert.deepEqual(at.heard, ["msg 1", "-err a"], rest);
    assert.equal(at.stream.destroyed, true);
    assert.equal(at.clock.pending, 0);
  }
});

test("a handler that ends the connection in its round trip hears no receipt of it", async () => {
  let isLast = false;
  const at: Bench = await introduced({ on: { onRoundTrip: () => isLast && at.connection.abort() } });
  isLast = true;
  at.connection.barrier();
  at.connection.flushNow();
  at.stream.says("PONG\r\n");
  await turn();
  assert.deepEqual(at.heard, []);
});

for (const early of ["LMSG cmd.valve 4\r\nopen\r\n", "LS+ cmd.>\r\n", "LS- cmd.>\r\n"]) {
  test(`${JSON.stringify(early)} before our introduction ends the connection and reaches nobody`, async () => {
    const at = bench();
    at.stream.says(`INFO {}\r\n${early}`);
    await turn();
    assert.deepEqual(at.heard, ["info {}", "ended LEAF_NOT_NATS"]);
    assert.equal(at.stream.destroyed, true);
  });
}

test("half a line in clear does not become the beginning of one inside TLS", async () => {
  const at: Bench = bench({
    on: {
      onInfo: (json) => {
        at.heard.push(`info ${json}`);
        if (at.heard.length === 1) at.connection.detach();
      },
    },
  });
  at.stream.says('INFO {"tls_required":true}\r\n-ERR \'');
  await turn();
  const secured = new SlowStream();
  at.connection.attach(secured);
  secured.says("INFO {}\r\n");
  await turn();
  assert.deepEqual(at.heard, ['info {"tls_required":true}', "info {}"]);
});

test("a handshake that comes to an end after the connection has is thrown away", async () => {
  const at = bench();
  at.connection.detach();
  at.connection.abort();
  const late = new SlowStream();
  at.connection.attach(late);
  assert.equal(late.destroyed, true);
  await turn();
  assert.deepEqual(at.heard, []);
});

test("a breach ends the connection with the parser's reason, once", async () => {
  const at = await introduced();
  at.stream.says("LMSG a x\r\nLMSG b y\r\n");
  await turn();
  await turn();
  assert.deepEqual(at.heard, ["ended WIRE_BAD_ARGUMENTS"]);
});

for (const [name, end] of [
  ["an end", (stream: SlowStream) => stream.push(null)],
  ["a failure", (stream: SlowStream) => stream.destroy(new Error("read ECONNRESET"))],
  ["a close without either", (stream: SlowStream) => stream.destroy()],
] as const) {
  test(`${name} of the stream is told once, and no timer stays`, async () => {
    const at = await introduced({ flushDelay: 5000 });
    fill(at, 10);
    at.connection.flush();
    end(at.stream);
    await turn();
    await turn();
    assert.deepEqual(at.heard, ["ended LEAF_CLOSED"]);
    assert.equal(at.clock.pending, 0);
  });
}

// ── flush_delay ───────────────────────────────────────────────────────────────────────────────────────────────────────

test("flush_delay gathers what comes within it, counted from the first", async () => {
  const at = await introduced({ flushDelay: 50 });
  for (let i = 0; i < 5; i++) {
    fill(at, 10);
    at.connection.flush();
    await at.clock.pass(9);
  }
  assert.equal(at.stream.writes.length, 0);
  await at.clock.pass(5);
  assert.deepEqual(
    at.stream.writes.map((bytes) => bytes.length),
    [50],
  );
  assert.equal(at.clock.pending, 0);
});

test("what is worth a flush of its own waits for no delay", async () => {
  const at = await introduced({ flushDelay: 5000 });
  fill(at, 100);
  at.connection.flush();
  assert.equal(at.clock.pending, 1);
  fill(at, 40_000);
  at.connection.flush();
  await turn();
  assert.equal(at.stream.text.replaceAll("PING\r\n", "").length, 40_100);
  assert.equal(at.clock.pending, 0);
});

test("PINGs of ours and interest take what was gathered with them", async () => {
  const at = await introduced({ flushDelay: 5000 });
  for (const urgent of [() => at.connection.ping(), () => at.connection.flushSoon()]) {
    at.stream.writes.length = 0;
    fill(at, 10);
    at.connection.flush();
    urgent();
    await turn();
    assert.ok(at.stream.text.startsWith("x".repeat(10)));
    assert.equal(at.clock.pending, 0);
  }
});

// ── the end ───────────────────────────────────────────────────────────────────────────────────────────────────────────

test("a goodbye carries what was gathered, and nothing is left behind", async () => {
  const at = await introduced({ flushDelay: 5000 });
  fill(at, 10);
  at.connection.flush();
  at.connection.close();
  at.connection.close();
  at.connection.flush();
  at.connection.flushSoon();
  await turn();
  assert.equal(at.stream.text, "x".repeat(10));
  assert.equal(at.stream.writableEnded, true);
  at.stream.push(null);
  await turn();
  await turn();
  assert.equal(at.stream.destroyed, true);
  assert.deepEqual([at.clock.pending, at.heard], [0, []]);
});

test("a goodbye to a socket that takes nothing ends within a second, and what it answers reaches nobody", async () => {
  const at = await introduced();
  at.stream.isTaking = false;
  assert.equal(at.connection.isCongested, false);
  fill(at, 10);
  at.connection.barrier();
  at.connection.close();
  at.stream.says("LMSG a 1\r\nx\r\nPONG\r\n");
  await at.clock.pass(999);
  assert.equal(at.stream.destroyed, false);
  await at.clock.pass(2);
  assert.equal(at.stream.destroyed, true);
  assert.deepEqual([at.clock.pending, at.heard], [0, []]);
});

test("after an end writes come back to nobody, and a stream that fails late fails alone", async () => {
  const at = await introduced();
  at.stream.isTaking = false;
  while (!at.connection.isCongested) {
    fill(at, 5000);
    at.connection.flushNow();
  }
  at.connection.abort();
  at.connection.abort();
  at.stream.takesAll();
  at.connection.barrier();
  at.connection.flush();
  at.connection.flushNow();
  at.stream.emit("error", new Error("late"));
  await turn();
  await turn();
  assert.deepEqual([at.clock.pending, at.heard], [0, []]);
  for (const event of ["data", "end", "close"]) assert.equal(at.stream.listeners(event).length, 0, event);
});
