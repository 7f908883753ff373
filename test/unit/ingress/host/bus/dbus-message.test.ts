import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeMessage, encodeCall, MESSAGE_BYTES_MAX, messageBytes } from "#ingress/host/bus/dbus-message.ts";
import { modemReading } from "#ingress/host/readings/modem.ts";
import { busAnswer, type Typed } from "../../../../support/dbus-answer.ts";
import { FakeHostMachine } from "../../../../support/fake-host-machine.ts";
import { seededRandom } from "../../../../support/seeded-random.ts";

const MM = "org.freedesktop.ModemManager1";
const MODEMS: Typed = [
  "a{oa{sa{sv}}}",
  new Map([
    [
      `/org/freedesktop/ModemManager1/Modem/0`,
      new Map([
        [
          `${MM}.Modem`,
          new Map<string, Typed>([
            ["SignalQuality", ["(ub)", [71, true]]],
            ["State", ["i", 11]],
            ["AccessTechnologies", ["u", 1 << 14]],
            ["Drivers", ["as", ["qmi_wwan", "option1"]]],
            ["CurrentCapabilities", ["u", 4]],
            ["Ports", ["a(su)", [["cdc-wdm0", 6]]]],
          ]),
        ],
        [
          `${MM}.Modem.Modem3gpp`,
          new Map<string, Typed>([
            ["RegistrationState", ["u", 5]],
            ["OperatorName", ["s", "Zwölf\u001b[2J"]],
          ]),
        ],
      ]),
    ],
  ]),
];

async function readModem(answer: Buffer | undefined) {
  const machine = new FakeHostMachine({});
  machine.busAnswer = answer === undefined ? undefined : decodeMessage(answer).body;
  const context = { machine, time: { isTrusted: true, fault: null }, dataDir: "/data" };
  return Object.fromEntries(
    (await modemReading.read(context)).map(({ name, value, unit }) => [name, unit === null ? value : `${value} ${unit}`]),
  );
}

test("what the modem manager says becomes readings", async () => {
  const bytes = busAnswer(2, MODEMS);
  assert.equal(messageBytes(bytes), bytes.length);
  assert.deepEqual([decodeMessage(bytes).kind, decodeMessage(bytes).replySerial], ["answer", 2]);
  assert.deepEqual(await readModem(bytes), {
    modem_signal: "71 %",
    modem_state: "connected",
    modem_technology: "lte",
    modem_registration: "roaming",
    modem_operator: "Zwölf?[2J",
  });
});

test("no bus, no manager, no modem: no readings", async () => {
  assert.deepEqual(await readModem(undefined), {});
  assert.deepEqual(await readModem(busAnswer(2, ["a{oa{sa{sv}}}", new Map()])), {});
  assert.deepEqual(await readModem(busAnswer(2, ["s", "what?"])), {});
});

test("a question is what the specification says it is", () => {
  const call = encodeCall({ destination: "a.b", path: "/a", interface: "a.b", member: "C" }, 7);
  assert.equal(call.length % 8, 0);
  assert.equal(messageBytes(call), call.length);
  assert.deepEqual([...call.subarray(0, 12)], [0x6c, 1, 2, 1, 0, 0, 0, 0, 7, 0, 0, 0]);
  assert.equal(call.toString("latin1", 16, 27), "\x01\x01o\0\x02\0\0\0/a\0");
});

test("whatever comes instead of a message is refused, bounded and never hangs", () => {
  const random = seededRandom(5);
  const whole = busAnswer(2, MODEMS);
  for (let round = 0; round < 5000; round++) {
    const bytes = Buffer.from(whole);
    for (let i = 0; i < 1 + random() * 4; i++) bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
    try {
      const length = messageBytes(bytes);
      assert.ok(length === undefined || length <= MESSAGE_BYTES_MAX);
      decodeMessage(bytes);
    } catch (error) {
      assert.ok(error instanceof RangeError, String(error));
    }
  }
  for (const signature of ["a()", "a{}", "a", "(", "s)", `${"a".repeat(40)}u`]) {
    const bytes = busAnswer(2, ["s", "a text of some bytes, read as something else"]);
    const at = bytes.indexOf("\x01s\0", "latin1");
    const longer = Buffer.concat([
      bytes.subarray(0, at),
      Buffer.from([signature.length, ...Buffer.from(signature), 0]),
      bytes.subarray(at + 3),
    ]);
    longer.writeUInt32LE(bytes.readUInt32LE(12) + signature.length - 1, 12);
    assert.throws(() => decodeMessage(longer), RangeError, signature);
  }
  const deep = busAnswer(2, ["s", "x"]);
  assert.throws(() => decodeMessage(deep.subarray(0, deep.length - 1)), RangeError);
});
