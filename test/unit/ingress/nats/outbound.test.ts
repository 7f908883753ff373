import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { Outbound } from "#ingress/nats/outbound.ts";
import { LARGE_SLAB_BYTES, Slabs, SMALL_SLAB_BYTES } from "#ingress/nats/slabs.ts";
import { Turn } from "#ingress/nats/turn.ts";
import { turn } from "../../../support/fake-clock.ts";

/** A stream that takes a write when the test says so. */
class SlowStream extends Duplex {
  readonly writes: Buffer[] = [];
  isEnded = false;
  #done: ((error?: Error) => void) | undefined;

  constructor() {
    super({ highWaterMark: 1 });
  }

  override _read(): void {
    // nothing comes
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    this.writes.push(Buffer.from(chunk));
    this.#done = done;
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error) => void): void {
    this.writes.push(Buffer.concat(chunks.map(({ chunk }) => chunk)));
    this.#done = done;
  }

  override _final(done: () => void): void {
    this.isEnded = true;
    done();
  }

  async takes(): Promise<void> {
    const done = this.#done;
    this.#done = undefined;
    done?.();
    await turn();
  }

  get text(): string {
    return Buffer.concat(this.writes).toString();
  }
}

function opened() {
  const stream = new SlowStream();
  const slabs = new Slabs();
  let progress = 0;
  const outbound = new Outbound(stream, slabs, new Turn(), {
    onProgress: () => {
      progress += 1;
    },
  });
  return { stream, slabs, outbound, progress: () => progress };
}

test("what is said in one turn is one write, at its end", async () => {
  const { stream, outbound } = opened();
  for (let i = 0; i < 5; i++) outbound.text(`line ${i}\n`);
  assert.equal(stream.writes.length, 0);
  assert.equal(outbound.pendingBytes, 35);
  await turn();
  assert.deepEqual(stream.writes.map(String), ["line 0\nline 1\nline 2\nline 3\nline 4\n"]);
});

test("one write is under way at a time; what comes meanwhile follows it in one", async () => {
  const { stream, outbound, progress } = opened();
  outbound.text("a");
  await turn();
  outbound.text("b");
  await turn();
  outbound.text("c");
  await turn();
  assert.equal(stream.text, "a");
  assert.ok(outbound.isWriting);
  assert.equal(outbound.pendingBytes, 3);
  await stream.takes();
  assert.deepEqual(stream.writes.map(String), ["a", "bc"]);
  await stream.takes();
  assert.equal(outbound.pendingBytes, 0);
  assert.equal(outbound.writtenBytes, 3);
  assert.equal(progress(), 2);
});

test("bytes keep their order over slabs of every kind, and the slabs come back", async () => {
  const { stream, slabs, outbound } = opened();
  const wanted: string[] = [];
  const say = (text: string) => {
    wanted.push(text);
    if (wanted.length % 2 === 0) outbound.text(text);
    else outbound.copy(Buffer.from(text), 0, text.length);
  };
  const sizes = [1, SMALL_SLAB_BYTES - 1, 1, 2, LARGE_SLAB_BYTES, LARGE_SLAB_BYTES + 1, 200_000, 3, SMALL_SLAB_BYTES + 1];
  for (const [i, size] of sizes.entries()) say(String.fromCharCode(97 + i).repeat(size));
  for (let i = 0; i < 20; i++) {
    await turn();
    await stream.takes();
  }
  assert.equal(outbound.pendingBytes, 0);
  assert.ok(stream.text === wanted.join(""), "the same bytes in the same order");
  const [one, two] = [slabs.take(true), slabs.take(true)];
  assert.notEqual(one, two);
  assert.equal(one.length, LARGE_SLAB_BYTES);
});

test("a great deal does not wait for the end of the turn", () => {
  const { stream, outbound } = opened();
  const line = "x".repeat(1000);
  for (let i = 0; i < 200; i++) outbound.text(line);
  assert.ok(stream.writes.length > 0);
});

test("what the network takes at once is free again at once, and its end is told once", async () => {
  const stream = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
  const slabs = new Slabs();
  let progress = 0;
  const outbound = new Outbound(stream, slabs, new Turn(), {
    onProgress: () => {
      progress += 1;
    },
  });
  outbound.text("a");
  const slab = outbound.bytes;
  outbound.flush();
  assert.equal(outbound.pendingBytes, 0);
  assert.equal(slabs.pendingBytes, 0);
  assert.ok(slabs.take(false) === slab);
  outbound.text("bc");
  outbound.flush();
  assert.equal(progress, 0);
  await turn();
  assert.equal(progress, 2);
  assert.equal(outbound.writtenBytes, 3);
  assert.ok(!outbound.isWriting);
});

test("many who gather much write before the turn ends, each a small slab and not each message", () => {
  const due = new Turn();
  const flushes: number[] = [];
  const gather = (count: number) => {
    for (let i = 0; i < count; i++) {
      due.begin(SMALL_SLAB_BYTES);
      due.add({ flush: () => flushes.push(i) });
    }
  };
  gather(1000);
  assert.ok(due.hasMany);
  assert.equal(flushes.length, 0, "each has begun one slab");
  due.begin(SMALL_SLAB_BYTES); // the first begins its second
  due.begin(SMALL_SLAB_BYTES);
  assert.equal(flushes.length, 1000);
  assert.ok(!due.hasMany);
  gather(3);
  for (let bytes = 0; bytes <= 2 * 1024 * 1024; bytes += LARGE_SLAB_BYTES) due.begin(LARGE_SLAB_BYTES);
  assert.equal(flushes.length, 1003, "few, and two megabytes");
});

test("after a fault nothing that the stream may still hold is lent to others", async () => {
  const { stream, slabs, outbound } = opened();
  outbound.text("a");
  const held = outbound.bytes;
  await turn();
  outbound.text("b");
  const free = outbound.bytes;
  outbound.abandon();
  const isLarge = free.length === LARGE_SLAB_BYTES; // it is behind, so it gets room for much
  assert.ok(slabs.take(isLarge) === free);
  assert.ok(slabs.take(isLarge) !== held && slabs.take(!isLarge) !== held);
  assert.equal(slabs.pendingBytes, 0);
  await stream.takes();
});

test("finish sends what waits, then ends the stream", async () => {
  const { stream, outbound } = opened();
  outbound.text("a");
  await turn();
  outbound.text("b");
  outbound.finish();
  await turn();
  assert.ok(!stream.isEnded);
  await stream.takes();
  await stream.takes();
  assert.equal(stream.text, "ab");
  assert.ok(stream.isEnded);
});

test("after its peer is gone nothing is kept and nothing is written", async () => {
  const { stream, outbound } = opened();
  outbound.text("a");
  await turn();
  outbound.text("b");
  outbound.abandon();
  outbound.text("c");
  await turn();
  await stream.takes();
  assert.equal(stream.text, "a");
  assert.equal(outbound.pendingBytes, 0);
});
