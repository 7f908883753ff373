// Requests for retained messages, byte for byte, and what may not be read by them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { subjectMatches, toSubject } from "#core/subject.ts";
import type { LastValue, LastValues } from "#ingress/nats/last-values.ts";
import { Ear, NatsDoor, PASSWORD } from "./harness.ts";

const CURIOUS = { user: "curious", pass: PASSWORD };

function shelf(values: Readonly<Record<string, string>>): LastValues {
  const show = (subject: string): LastValue => ({
    subject,
    headers: Buffer.from(`NATS/1.0\r\nNmqtt-Subject: ${subject}\r\n\r\n`, "latin1"),
    payload: Buffer.from(values[subject]!),
  });
  return {
    get: (subject) => (Object.hasOwn(values, subject) ? show(subject) : undefined),
    *match(filter) {
      for (const subject of Object.keys(values)) if (subjectMatches(filter, subject)) yield show(subject);
    },
  };
}

const VALUES = { "plant.7.temp": "21", "plant.secret": "42", "other.x": "9" };

function hmsg(reply: string, sid: string, headers: string, payload: string): string {
  return `HMSG ${reply} ${sid} ${headers.length} ${headers.length + payload.length}\r\n${headers}${payload}\r\n`;
}

function value(subject: keyof typeof VALUES, reply = "_INBOX.a", sid = "1"): string {
  return hmsg(reply, sid, `NATS/1.0\r\nNmqtt-Subject: ${subject}\r\n\r\n`, VALUES[subject]);
}

function status(words: string, reply = "_INBOX.a", sid = "1"): string {
  return hmsg(reply, sid, `NATS/1.0 ${words}\r\n\r\n`, "");
}

function list(filter: string, reply = "_INBOX.a"): string {
  return `PUB $PETIOLE.retained.list ${reply} ${filter.length}\r\n${filter}\r\n`;
}

test("a request for a last value is answered with it, one for none with status 404", async () => {
  await using door = await NatsDoor.open({ lastValues: shelf(VALUES) });
  await using asker = await door.connected();
  asker.send("SUB _INBOX.a 1\r\nPUB $PETIOLE.retained.get.plant.7.temp _INBOX.a 0\r\n\r\n");
  await asker.receives(value("plant.7.temp"));
  asker.send("PUB $PETIOLE.retained.get.plant.8.temp _INBOX.a 0\r\n\r\n");
  await asker.receives(status("404 No Message Found"));
  asker.send("PUB $PETIOLE.retained.get.plant.7.temp 0\r\n\r\n"); // no reply subject: nobody to tell
  await asker.isIdle();
});

test("a list is a message for each subject under the filter, and a status at its end", async () => {
  await using door = await NatsDoor.open({ lastValues: shelf(VALUES) });
  await using asker = await door.connected();
  asker.send("SUB _INBOX.a 1\r\n", list("plant.>"));
  await asker.isIdle();
  await door.clock.pass(1);
  await asker.receives([value("plant.7.temp"), value("plant.secret"), status("204 No More Messages")].join(""));
  asker.send(list(""));
  await asker.isIdle();
  await door.clock.pass(1);
  await asker.receives([value("plant.7.temp"), value("plant.secret"), value("other.x"), status("204 No More Messages")].join(""));
  asker.send(list("a..b"), "PUB $PETIOLE.retained.nonsense _INBOX.a 0\r\n\r\n");
  await asker.receives([status("400 Bad Request"), status("400 Bad Request")].join(""));
});

test("a filter may end with any letter, and blanks around it do not count", async () => {
  const subject = toSubject("plant.à"); // its last byte would be a blank in another character set
  await using door = await NatsDoor.open({ lastValues: shelf({ [subject]: "7" }) });
  await using asker = await door.connected();
  asker.send("SUB _INBOX.a 1\r\n", Buffer.from(list(` ${subject}\r\n`), "latin1"));
  await asker.isIdle();
  await door.clock.pass(1);
  const shown = hmsg("_INBOX.a", "1", `NATS/1.0\r\nNmqtt-Subject: ${subject}\r\n\r\n`, "7");
  assert.equal((await asker.take(shown.length)).toString("latin1"), shown);
  await asker.receives(status("204 No More Messages"));
});

test("who may not receive a subject does not see its last value, alone or in a list", async () => {
  await using door = await NatsDoor.open({ lastValues: shelf(VALUES) });
  await using asker = await door.connected(CURIOUS);
  asker.send("SUB _INBOX.a 1\r\n");
  for (const subject of ["plant.secret", "other.x"]) asker.send(`PUB $PETIOLE.retained.get.${subject} _INBOX.a 0\r\n\r\n`);
  await asker.receives([status("404 No Message Found"), status("404 No Message Found")].join(""));
  asker.send(list(">"));
  await asker.isIdle();
  await door.clock.pass(1);
  await asker.receives([value("plant.7.temp"), status("204 No More Messages")].join(""));
});

test("who may not publish the request is refused", async () => {
  await using door = await NatsDoor.open({ lastValues: shelf(VALUES) });
  await using asker = await door.connected({ user: "sensor", pass: PASSWORD });
  asker.send("SUB _INBOX.a 1\r\nPUB $PETIOLE.retained.get.cmd.7.x _INBOX.a 0\r\n\r\n");
  await asker.receives(`-ERR 'Permissions Violation for Publish to "$PETIOLE.retained.get.cmd.7.x"'\r\n`);
  await asker.isIdle();
});

test("answers go to the asker alone: no other subscription hears them, whatever reply subject is named", async () => {
  await using door = await NatsDoor.open({ lastValues: shelf(VALUES) });
  const ear = new Ear(door.router, ">");
  await using other = await door.connected();
  other.send("SUB > 9\r\n");
  await other.isIdle();
  await using asker = await door.connected(CURIOUS);
  asker.send("PUB $PETIOLE.retained.get.plant.7.temp cmd.valve 0\r\n\r\n", list("plant.>", "cmd.valve"));
  await asker.isIdle();
  await door.clock.pass(10);
  asker.send("SUB _INBOX.> 1\r\nPUB $PETIOLE.retained.get.plant.7.temp _INBOX.a 0\r\n\r\n");
  await asker.receives(value("plant.7.temp"));
  await other.isIdle();
  assert.deepEqual(ear.heard, [], "nor is the request itself routed");
  assert.deepEqual(door.upstream.messages, [], "or offered to a hub");
});

test("nobody else below $PETIOLE may be spoken to, and a hub gets no answer", async () => {
  await using door = await NatsDoor.open({ lastValues: shelf(VALUES), hears: true });
  await using asker = await door.connected();
  asker.send("SUB _INBOX.a 1\r\nPUB $PETIOLE.gw.ledger _INBOX.a 0\r\n\r\n");
  await asker.receives(`-ERR 'Permissions Violation for Publish to "$PETIOLE.gw.ledger"'\r\n`);
  door.publish("$PETIOLE.retained.get.plant.7.temp", "", { reply: "_INBOX.a" });
  await asker.isIdle();
});

test("where nobody knows last values, a request has no responders", async () => {
  await using door = await NatsDoor.open();
  await using asker = await door.connected();
  asker.send("SUB _INBOX.a 1\r\nPUB $PETIOLE.retained.get.a _INBOX.a 0\r\n\r\n");
  await asker.receives(hmsg("_INBOX.a", "1", "NATS/1.0 503\r\nNats-Subject: $PETIOLE.retained.get.a\r\n\r\n", ""));
  await using lab = await door.connected({ user: "elsewhere", pass: PASSWORD });
  lab.send("SUB _INBOX.a 1\r\nPUB $PETIOLE.retained.get.a _INBOX.a 0\r\n\r\n");
  await lab.receives(hmsg("_INBOX.a", "1", "NATS/1.0 503\r\nNats-Subject: $PETIOLE.retained.get.a\r\n\r\n", ""));
});

test("an answer counts against the last message of a subscription, and a list ends with it", async () => {
  await using door = await NatsDoor.open({ lastValues: shelf(VALUES) });
  await using asker = await door.connected();
  asker.send("SUB _INBOX.a 1\r\nUNSUB 1 1\r\n", list(">"));
  await asker.isIdle();
  await door.clock.pass(20);
  await asker.receives(value("plant.7.temp"));
  await asker.isIdle();
  assert.equal(door.clock.pending, 1, "the door's own ticker alone");
});

test("lists are written at the reader's pace, a few at a time, and end with their client", async () => {
  const values = Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`plant.${i}`, "x".repeat(1000)]));
  await using door = await NatsDoor.open({ lastValues: shelf(values) });
  await using asker = await door.connected();
  asker.socket.pause();
  asker.send("SUB _INBOX.a 1\r\n", ...Array.from({ length: 6 }, () => list(">")));
  await door.until(() => door.ingress.status().clients === 1 && door.clock.pending > 1);
  for (let i = 0; i < 400; i++) await door.clock.pass(5);
  const { pendingBytes } = door.ingress.clients()[0]!;
  assert.ok(pendingBytes < 2 * 1024 * 1024, `${pendingBytes} bytes wait for a reader that does not read`);
  asker.socket.destroy();
  await door.until(() => door.ingress.status().clients === 0);
  await door.clock.pass(10);
  assert.equal(door.clock.pending, 1, "the door's own ticker alone");
});
