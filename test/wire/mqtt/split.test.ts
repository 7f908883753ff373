// What a client publishes arrives whole however the network cuts it: not the packets alone are compared, but the messages that
// reach the account, bytes and all. Chunks come from a stream of ours, so that each cut is exact.

import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { test } from "node:test";
import fc from "fast-check";
import { Authenticator } from "#access/authenticator.ts";
import { systemEntropy } from "#base/entropy.ts";
import { silentLog } from "#base/log.ts";
import type { ByteStream, Net } from "#base/net.ts";
import { openMqtt } from "#ingress/mqtt/mqtt-ingress.ts";
import { AccountRouter } from "#router/router.ts";
import { FakeClock, turn } from "../../support/fake-clock.ts";
import { mqttSettings } from "../../support/mqtt-settings.ts";
import { connect, publish, TicketUpstream, USERS } from "./harness.ts";

/** A client whose every chunk is ours to cut; what is sent to it is gathered. */
class CutStream extends Duplex {
  answers = "";

  override _read(): void {
    // chunks are emitted by hand
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.answers += chunk.toString("hex");
    done();
  }

  /** A chunk of its own memory, as the runtime makes them. */
  arrives(bytes: Buffer): void {
    this.emit("data", Buffer.from(bytes));
  }
}

async function opened() {
  const clock = new FakeClock();
  const entropy = systemEntropy();
  const router = new AccountRouter("EDGE", entropy);
  const upstream = new TicketUpstream();
  upstream.stages = false;
  router.addUpstream(upstream);
  let accept: (stream: ByteStream) => void = () => undefined;
  const net: Net = {
    dial: () => Promise.reject(new Error("nobody dials here")),
    listen: async (endpoint, onStream) => {
      accept = onStream;
      return { endpoint, [Symbol.asyncDispose]: async () => undefined };
    },
  };
  const options = mqttSettings({ listen: { host: "test", port: 1 } });
  const authenticator = new Authenticator(USERS, "anyone", { clock, entropy });
  const limits = { maxPayload: 1_048_576, maxPending: 16_777_216, writeDeadline: 10_000 };
  const deps = { env: { clock, net, entropy, log: silentLog() }, authenticator, accounts: new Map([["EDGE", router]]), limits };
  const ingress = await openMqtt(options, deps, new AbortController().signal);
  const stream = new CutStream();
  accept(stream);
  stream.arrives(connect({ clientId: "cut" }));
  while (!stream.answers.startsWith("20020000")) await turn();
  stream.answers = "";
  return {
    stream,
    upstream,
    async [Symbol.asyncDispose]() {
      stream.destroy();
      await ingress[Symbol.asyncDispose]();
    },
  };
}

/** Each message has bytes of its own, so that one written over another shows. */
const MESSAGES = ["A", "B", "C", "D", "E"].map((letter, i) => ({
  topic: i === 2 ? "a.b" : `t/${letter}`,
  payload: letter.repeat(9 + i * 3),
}));
const BYTES = Buffer.concat(
  MESSAGES.map(({ topic, payload }, i) => publish(topic, payload, i % 2 === 0 ? { packetId: i + 1 } : {})),
);
const WANTED = MESSAGES.map(({ topic, payload }) => `${topic === "a.b" ? "a//b" : topic.replace("/", ".")}=${payload}`);
const ACKS = "400200014002000340020005";

test("five PUBLISHes arrive whole, cut at every pair of places", async () => {
  await using open = await opened();
  for (let a = 0; a <= BYTES.length; a++) {
    for (let b = a; b <= BYTES.length; b++) {
      open.upstream.taken.length = 0;
      open.stream.answers = "";
      for (const chunk of [BYTES.subarray(0, a), BYTES.subarray(a, b), BYTES.subarray(b)])
        if (chunk.length > 0) open.stream.arrives(chunk);
      assert.deepEqual(open.upstream.taken, WANTED, `cut at ${a} and ${b}`);
      assert.equal(open.stream.answers, ACKS, `cut at ${a} and ${b}`);
    }
  }
});

test("a long stream of PUBLISHes arrives whole, cut anywhere, in chunks that begin and end inside of packets", async () => {
  await using open = await opened();
  const sizes = fc.array(fc.nat(300), { minLength: 2, maxLength: 40 });
  const cuts = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(sizes, cuts, (payloads, lengths) => {
      open.upstream.taken.length = 0;
      open.stream.answers = "";
      const wanted = payloads.map((size, i) => `s.${i}=${String.fromCharCode(97 + (i % 26)).repeat(size)}`);
      const bytes = Buffer.concat(
        wanted.map((line, i) => publish(`s/${i}`, line.slice(line.indexOf("=") + 1), { packetId: i + 1 })),
      );
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const end = at + lengths[i % lengths.length]!;
        open.stream.arrives(bytes.subarray(at, end));
        at = end;
      }
      assert.deepEqual(open.upstream.taken, wanted);
      assert.equal(open.stream.answers.length, wanted.length * 8, "one PUBACK each");
    }),
    { numRuns: 200 },
  );
});
