// What the views think before they draw: sentences, ribbons, forecasts, strangers' texts, payloads, lists. No browser.

import assert from "node:assert/strict";
import { once } from "node:events";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import { suite, test } from "node:test";
import type { LinkMoveReport } from "#status/history-report.ts";
import type { LossReport, RemoteReport, SerialReport, StatusReport } from "#status/report.ts";
import { flashLife } from "#web/page/dashboard/flash-life.ts";
import { outboxSentence } from "#web/page/dashboard/forecast.ts";
import { lossSentence, outageSentence, summedLosses } from "#web/page/dashboard/ledger.ts";
import { hostOf, linkSentence, phaseOf } from "#web/page/dashboard/link-sentence.ts";
import { linkFaultWords } from "#web/page/dashboard/link-words.ts";
import { ledgerWords, outboxWords } from "#web/page/dashboard/outbox-words.ts";
import { ribbonPieces } from "#web/page/dashboard/ribbon-spans.ts";
import { troubleWords } from "#web/page/dashboard/trouble-words.ts";
import { type TroubleTexts, troublesOf } from "#web/page/dashboard/troubles.ts";
import { listMqtt, type MqttClient } from "#web/page/devices/clients.ts";
import { parseHeaders } from "#web/page/messages/headers.ts";
import { bytesOfBase64, hexLines, readable, tryHexBytes, tryIndentJson } from "#web/page/messages/payload.ts";
import { seen } from "#web/page/messages/seen-message.ts";
import { visible, visibleLines } from "#web/page/messages/visible.ts";
import { Api, type ApiError } from "#web/page/shell/api.ts";
import { textIn } from "#web/page/words/catalogue.ts";
import { formatIn } from "#web/page/words/format.ts";
import type { Language } from "#web/page/words/languages.ts";

const HOUR = 3_600_000;
const at = (ms: number) => new Date(ms).toISOString();

suite("a stream of the API", () => {
  const FAULT = 'event: fault\ndata: {"code":"SERIAL_GONE","message":"port a: the device is gone"}\n\n';

  /** Answers every request with these events, and ends. */
  async function answering(text: string) {
    const server = http.createServer((_, response) => {
      response.writeHead(200, { "Content-Type": "text/event-stream" });
      response.end(text);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    return { url: `http://127.0.0.1:${port}/`, [Symbol.dispose]: () => void server.close().closeAllConnections() };
  }

  for (const [method, last] of [
    ["GET", "lost"],
    ["POST", "refused"],
  ] as const)
    test(`what breaks down while a ${method} streams is a state with its reason, and no event`, async () => {
      using server = await answering(`event: try\ndata: {"n":1}\n\n${FAULT}`);
      const events: unknown[] = [];
      const error = await new Promise<ApiError | undefined>((resolve) => {
        const stream = new Api().stream(server.url, (event, data) => events.push([event, data]), {
          method,
          onState: (state, reason) => {
            if (state !== last) return;
            stream.close();
            resolve(reason);
          },
        });
      });
      assert.deepEqual(events, [["try", { n: 1 }]]);
      assert.deepEqual([error?.code, error?.message], ["SERIAL_GONE", "port a: the device is gone"]);
    });
});

suite("strangers' texts", () => {
  test("what cannot be seen is made visible, and what turns the order round is named", () => {
    assert.equal(visible("a\u0000b\r\n\u007f"), "a‹NUL›b‹CR›‹LF›‹DEL›");
    assert.equal(visible("gate\u202e3pm\u2066\u200b\ufeff"), "gate‹202E›3pm‹2066›‹200B›‹FEFF›");
    assert.equal(visible("\ud800 \u0085 \u2028"), "‹D800› ‹0085› ‹2028›");
    assert.equal(visible("<img src=x onerror=alert(1)>"), "<img src=x onerror=alert(1)>");
    assert.equal(visible("Zähler 7 温度 🌡"), "Zähler 7 温度 🌡");
  });

  test("words from right to left are kept apart from the sentence they stand in", () => {
    assert.equal(visible("خزان"), "\u2068خزان\u2069");
  });

  test("a long name takes no more than its share", () => {
    const shown = visible("x".repeat(65_536));
    assert.equal(shown.length, 257);
    assert.ok(shown.endsWith("…"));
  });

  test("a preview is one line, and hides no mark that takes no room", () => {
    const event = { at: "", account: "", subject: "", topic: "", reply: null, from: "mqtt", origin: "", size: 1, headers: null };
    const text = "a\r\n\tb\ufeff\u2028c";
    assert.equal(seen({ ...event, payload_text: text, payload_base64: "", truncated: false }, 1).preview, "a b‹FEFF›‹2028›c");
    const bytes = { ...event, payload_text: null, payload_base64: Buffer.alloc(30, 1).toString("base64"), truncated: false };
    assert.equal(seen(bytes, 1).preview, `${"01 ".repeat(24)}…`);
  });

  test("in payloads lines stay lines", () => {
    assert.equal(visibleLines("a\tb\nc\r\nd\u0007\u202e"), "a\tb\nc‹CR›\nd‹BEL›‹202E›");
  });
});

suite("payloads", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);

  test("JSON is set in lines and keeps every digit and every doubled key", () => {
    assert.equal(
      tryIndentJson('{"a":12345678901234567890,"a":1.10,"b":[],"c":{"d":[1,"x,{"]},"e":{}}'),
      '{\n  "a": 12345678901234567890,\n  "a": 1.10,\n  "b": [],\n  "c": {\n    "d": [\n      1,\n      "x,{"\n    ]\n  },\n  "e": {}\n}',
    );
    assert.equal(tryIndentJson('"a\\"b"'), '"a\\"b"');
    assert.equal(tryIndentJson("{a:1}"), undefined);
    assert.equal(tryIndentJson(""), undefined);
  });

  test("as it fits: objects as JSON, numbers as text, bytes in hex", () => {
    assert.deepEqual(readable(bytes('{"t":1}'), '{"t":1}', "auto"), { kind: "json", text: '{\n  "t": 1\n}' });
    assert.deepEqual(readable(bytes("21.5"), "21.5", "auto"), { kind: "text", text: "21.5" });
    assert.equal(readable(Uint8Array.of(0, 255), null, "auto").kind, "hex");
    assert.equal(readable(Uint8Array.of(0, 255), null, "text").kind, "none");
    assert.equal(readable(bytes("x"), "x", "json").kind, "none");
  });

  test("bytes in hex stand beside their characters, eight to a line", () => {
    assert.equal(hexLines(bytes("AB\u0000defghi")), "0000  41 42 00 64 65 66 67 68  AB·defgh\n0008  69                       i");
    assert.equal(hexLines(new Uint8Array()), "");
    assert.deepEqual([...bytesOfBase64("AP8=")], [0, 255]);
  });

  test("hex is typed with or without spaces, and half a byte is none", () => {
    assert.deepEqual([...tryHexBytes("01 ff,0x3A")!], [1, 255, 58]);
    assert.deepEqual([...tryHexBytes("")!], []);
    assert.equal(tryHexBytes("abc"), undefined);
    assert.equal(tryHexBytes("zz"), undefined);
  });

  test("headers are typed one per line", () => {
    assert.deepEqual(parseHeaders("Unit: °C\n\nUrl: http://x"), { Unit: "°C", Url: "http://x" });
    assert.deepEqual(parseHeaders(""), {});
    assert.equal(parseHeaders("no colon"), undefined);
    assert.equal(parseHeaders(": no name"), undefined);
  });
});

suite("the ribbon", () => {
  const from = Date.parse("2026-11-22T00:00:00Z");
  const to = from + 24 * HOUR;
  const move = (hours: number, state: LinkMoveReport["state"]): LinkMoveReport => ({
    at: at(from + hours * HOUR),
    state,
    url: "",
  });

  test("a night of tries is one piece, and what is not known counts for nothing", () => {
    const tries = Array.from({ length: 500 }, (_, i) => move(6 + i * 0.01, i % 2 === 0 ? "trying" : "down"));
    const { pieces, upShare } = ribbonPieces([move(2, "ready"), ...tries, move(13, "ready")], from, to);
    assert.deepEqual(
      pieces.map(({ phase, from: start, to: end }) => [phase, (start - from) / HOUR, (end - from) / HOUR]),
      [
        ["unknown", 0, 2],
        ["up", 2, 6],
        ["down", 6, 13],
        ["up", 13, 24],
      ],
    );
    assert.equal(upShare, 15 / 22);
  });

  test("connecting for the first time is no time without a link; a link that never came is", () => {
    const [dial, ready] = [move(1, "trying"), move(1 + 5 / 3600, "ready")];
    assert.equal(ribbonPieces([dial, ready], from, to).upShare, 1);
    assert.equal(ribbonPieces([dial], from, to).upShare, 0);
  });

  test("a link that came before the day began is up all day", () => {
    const { pieces, upShare } = ribbonPieces([move(-100, "ready")], from, to);
    assert.deepEqual([pieces.length, pieces[0]!.phase, upShare], [1, "up", 1]);
  });

  test("without any change nothing is known; changes of a clock that was wrong are left out", () => {
    assert.deepEqual(ribbonPieces([], from, to), { pieces: [{ from, to, phase: "unknown" }], upShare: null, knownMs: 0 });
    const { upShare } = ribbonPieces([{ at: "nonsense", state: "ready", url: "" }, move(48, "ready")], from, to);
    assert.equal(upShare, null);
  });
});

suite("the outbox in a sentence", () => {
  const format = formatIn("en");
  const say = (...[outbox, isReady]: [Parameters<typeof outboxSentence>[0], boolean]) => {
    const { key, values } = outboxSentence(outbox, isReady, format);
    return textIn(outboxWords, "en")(key, values);
  };

  test("what waits, and until when", () => {
    assert.equal(say({ mode: "direct", depth: 0 }, true), "Nothing waits: the hub has confirmed everything.");
    assert.equal(say({ mode: "down", depth: 1 }, false), "1 message waits for the link. All of them are safe.");
    const drain = { rate_per_second: 3.6, seconds_left: 11_400 };
    assert.equal(say({ mode: "draining", depth: 41_212, drain }, true), "41,212 messages wait; caught up in 3 h 10 min.");
    assert.equal(say({ mode: "direct", depth: 3, drain: null }, true), "3 messages are on the way and not confirmed yet.");
  });

  test("an outbox that grows while it drains is not promised an end", () => {
    const drain = { rate_per_second: 3, seconds_left: null };
    assert.match(say({ mode: "draining", depth: 5_000, drain }, true), /It will not catch up like this/);
    assert.match(say({ mode: "draining", depth: 5_000 }, true), /not known yet/);
  });
});

suite("the ledger in sentences", () => {
  const now = "2026-11-22T14:00:00Z";
  const outage = {
    remote: "EDGE",
    from: "2026-11-22T02:10:00Z",
    to: "2026-11-22T05:40:00Z",
    stored: 41_212,
    delivered: 41_212,
    lost: 0,
  };
  const say = (language: Language, one: Parameters<typeof outageSentence>[0]) =>
    outageSentence(one, textIn(ledgerWords, language), formatIn(language), now);
  const clock = (iso: string) => formatIn("en").clock(iso).slice(0, 5);

  test("an outage says when, and what became of what was stored", () => {
    const when = `${clock(outage.from)}–${clock(outage.to)}`;
    assert.equal(say("en", outage), `Outage ${when}: 41,212 stored, 41,212 delivered, 0 lost.`);
    assert.equal(say("de", outage), `Ausfall ${when}: 41.212 gespeichert, 41.212 zugestellt, 0 verloren.`);
    assert.equal(say("zh", outage), `中断 ${when}：存储 41,212，送达 41,212，丢失 0。`);
  });

  test("a short one is told to the second", () => {
    assert.match(say("en", { ...outage, to: "2026-11-22T02:10:09Z" }), /^Outage \d\d:\d\d:00–\d\d:\d\d:09: /);
  });

  test("one that goes on says so, and one of another day says which", () => {
    assert.match(say("en", { ...outage, to: null }), /^Outage since \d\d:\d\d: 41,212 stored so far, 0 lost\.$/);
    assert.match(say("en", { ...outage, from: "2026-11-20T02:10:00Z", to: "2026-11-20T05:40:00Z" }), /^Outage .*2026/);
  });

  const loss = (more: Partial<LossReport>): LossReport => ({
    reason: "expired",
    class: "telemetry",
    rule: 0,
    messages: 2,
    from_seq: 1,
    through_seq: 2,
    first_time: now,
    last_time: now,
    ...more,
  });

  test("losses are summed over rules, and every reason has words in every language", () => {
    const summed = summedLosses([
      loss({}),
      loss({ rule: 1, messages: 3, last_time: "2026-11-22T14:05:00Z" }),
      loss({ class: null }),
    ]);
    assert.deepEqual(
      summed.map((each) => [each.class, each.messages, each.last_time]),
      [
        ["telemetry", 5, "2026-11-22T14:05:00Z"],
        [null, 2, now],
      ],
    );
    assert.equal(lossSentence("refused", 1, textIn(ledgerWords, "en")), "1 was refused");
    assert.equal(lossSentence("refused", 1_200, textIn(ledgerWords, "de")), "1.200 wurden abgelehnt");
    assert.equal(lossSentence("a\u202eb", 2, textIn(ledgerWords, "en")), "2 were lost: a‹202E›b");
  });
});

suite("links in sentences", () => {
  const format = { since: () => "3 h", milliseconds: (n: number) => `${n} ms` };

  test("every state has one, and a state of a later version is taken for trying", () => {
    const { link } = remoteOf({});
    assert.deepEqual(linkSentence(link, format).values, { hub: "hub", for: "3 h", rtt: "23 ms" });
    assert.equal(linkSentence({ ...link, rtt_ms: 0.2 }, format).values["rtt"], "1 ms");
    for (const state of [
      "waiting",
      "dialing",
      "securing",
      "upgrading",
      "awaiting-info",
      "agreeing",
      "joining",
      "syncing",
      "stopped",
    ] as const)
      assert.notEqual(linkSentence({ ...link, state }, format).key, "ready");
    assert.equal(phaseOf("levitating"), "trying");
  });

  test("a URL is shown by its host, and never with a password", () => {
    assert.equal(hostOf("tls://user:secret@hub1.example.com:7422/x"), "hub1.example.com:7422");
    assert.equal(hostOf("wss://[::1]:443/leafnode"), "[::1]:443");
    assert.equal(hostOf("nonsense"), "nonsense");
  });
});

suite("what is wrong, and what to do", () => {
  const texts = (language: Language): TroubleTexts => ({
    trouble: textIn(troubleWords, language),
    fault: textIn(linkFaultWords, language),
    ledger: textIn(ledgerWords, language),
    hasFault: (key): key is keyof typeof linkFaultWords => Object.hasOwn(linkFaultWords, key),
    hasTrouble: (key): key is keyof typeof troubleWords => Object.hasOwn(troubleWords, key),
  });

  test("all is well: nothing is said", () => {
    assert.deepEqual(troublesOf(statusOf({}), texts("en")), []);
  });

  test("each trouble has cause, remedy and the device's own words, the worst first", () => {
    const remote = remoteOf({
      link: {
        state: "waiting",
        last_error: { code: "LEAF_AUTH_REJECTED", message: "hub said no", at: "2026-11-22T14:00:00Z" },
      },
      outbox: { fault: "EIO", full: "it has 1 GiB" },
    });
    const troubles = troublesOf(statusOf({ remotes: [remote] }), texts("en"));
    assert.deepEqual(
      troubles.map(({ tone, detail }) => [tone, detail]),
      [
        ["bad", "EIO"],
        ["look", "hub said no"],
        ["look", "it has 1 GiB"],
      ],
    );
    assert.equal(troubles[1]!.text, "No link to the hub of EDGE. The hub refused the login.");
    assert.match(troubles[1]!.remedy, /^Upload new credentials/);
  });

  test("a code of a later version has general words, and its own as they are", () => {
    const link = { state: "waiting", last_error: { code: "LEAF_NEW", message: "something else", at: "" } } as const;
    const [trouble] = troublesOf(statusOf({ remotes: [remoteOf({ link })] }), texts("de"));
    assert.equal(trouble!.text, "Keine Verbindung zum Hub von EDGE. Die Verbindung zum Hub ist gescheitert.");
    assert.equal(trouble!.detail, "something else");
  });

  test("losses of long ago, and those their owner wanted, are history", () => {
    const loss = (reason: string, last: string): LossReport => ({
      reason,
      class: "state",
      rule: 0,
      messages: 4,
      from_seq: 1,
      through_seq: 4,
      first_time: last,
      last_time: last,
    });
    const losses = [
      loss("displaced", "2026-11-22T13:00:00Z"),
      loss("refused", "2026-11-20T13:00:00Z"),
      loss("expired", "2026-11-22T13:00:00Z"),
    ];
    const troubles = troublesOf(statusOf({ remotes: [remoteOf({ outbox: { losses } })] }), texts("en"));
    assert.deepEqual(
      troubles.map(({ text }) => text),
      ["Outbox of EDGE: 4 made room for newer ones."],
    );
  });

  test("ports, clock, firewall, store and kernel files each have their say, names made harmless", () => {
    const status = statusOf({
      serial: [portOf({ name: "a\u202eb", state: "absent", code: "SERIAL_ABSENT", cause: "none" }), portOf({ is_silent: true })],
      clock: { trusted: false, floor: "", boot_id: "", fault: "1970" },
      packet_filter: { state: "failing", because: "nft", lacks: [], drifts: 0, last_drift: null, blocked: 0 },
      store: { keys: 0, live_bytes: 0, file_bytes: 0, max_bytes: 0, full: "disk", fault: null, damaged: 2 },
      host: { looks: 0, messages: 0, hanging: ["/sys/x"], last_fault: null },
    });
    const said = troublesOf(status, texts("en")).map(({ text }) => text);
    assert.equal(said.length, 7);
    assert.ok(said.includes("The device of serial port a‹202E›b is not plugged in."));
    assert.ok(said.includes("What MQTT keeps was damaged on flash (2 places)."));
  });

  test("no sentence of any language is left with a hole in it", () => {
    const outbox = { fault: "x", full: "y", ledger_fault: "z", held: 3, recovery: { records: 0, torn_bytes: 0, damaged: 1 } };
    const suspended = [{ subject: "a.b", why: "no stream" }];
    for (const language of ["en", "de", "fr", "es", "pt", "zh"] as const) {
      const one = remoteOf({ outbox: { ...outbox, suspended } });
      const other = remoteOf({ outbox: { ...outbox, suspended }, name: "TWIN" });
      const troubles = troublesOf(statusOf({ remotes: [one, other] }), texts(language));
      assert.equal(troubles.length, 13);
      for (const { text, remedy } of troubles) assert.doesNotMatch(`${text}${remedy}`, /[{}|]|undefined/);
    }
  });
});

test("how long the card lasts is said as surely as it is known", () => {
  const life = (years: number | null, from: "estimate" | "mmc life_time" | null = "estimate") =>
    flashLife({
      since: "",
      bytes_today: 0,
      bytes_per_day: [],
      life: { written_total_bytes: null, wear_percent: null, years_left: years, from },
    });
  assert.deepEqual(life(null), { key: "unknown", years: 0, tone: "idle" });
  assert.deepEqual(life(0.4), { key: "short", years: 0, tone: "bad" });
  assert.deepEqual(life(2.9), { key: "years", years: 2, tone: "look" });
  assert.deepEqual(life(12.2, "mmc life_time"), { key: "years_measured", years: 12, tone: "good" });
  assert.equal(life(900).key, "long");
});

test("a thousand clients are searched and ordered at once, equals by their names", () => {
  const clients = Array.from({ length: 1_000 }, (_, i) =>
    clientOf({ client_id: `meter-${999 - i}`, queue: i % 3, user: `u${i}` }),
  );
  const before = performance.now();
  assert.equal(listMqtt(clients, "METER-99", "name").length, 11);
  assert.equal(listMqtt(clients, "u1000", "name").length, 0);
  const byQueue = listMqtt(clients, "", "queue");
  assert.deepEqual(
    [byQueue[0]!.queue, byQueue.at(-1)!.queue, byQueue.filter(({ queue }) => queue === 2)[0]!.client_id],
    [2, 0, "meter-1"],
  );
  assert.ok(performance.now() - before < 200);
});

function clientOf(more: Partial<MqttClient>): MqttClient {
  return {
    client_id: "meter",
    connected: true,
    user: "u",
    account: "EDGE",
    address: "127.0.0.1:1",
    version: "3.1.1",
    since: null,
    last_seen: null,
    messages_in: 0,
    messages_out: 0,
    rate_in: null,
    inflight: 0,
    queue: 0,
    queue_bytes: 0,
    session_kept: false,
    subscriptions: 0,
    tls: false,
    ...more,
  };
}

function statusOf(more: Partial<StatusReport>): StatusReport {
  return {
    version: "1",
    server_name: "gw",
    device_id: "d",
    now: "2026-11-22T14:00:00Z",
    uptime_seconds: 1,
    rss_bytes: 1,
    health: { verdict: "ok", reasons: [] },
    remotes: [remoteOf({})],
    mqtt: null,
    nats: null,
    serial: [],
    ...more,
  };
}

interface RemoteParts {
  readonly name?: string;
  readonly link?: Partial<RemoteReport["link"]>;
  readonly outbox?: Partial<RemoteReport["outbox"]>;
}

function remoteOf({ name = "EDGE", link = {}, outbox = {} }: RemoteParts): RemoteReport {
  return {
    name,
    account: "EDGE",
    link: {
      state: "ready",
      url: "tls://hub:7422",
      since: "2026-11-22T11:00:00Z",
      attempt: 0,
      rtt_ms: 23.4,
      tls: true,
      hub_name: "hub",
      hub_id: "H",
      hub_version: "2.15.0",
      hub_cluster: null,
      hub_interest: 2,
      connects: 1,
      bytes_in: 1,
      bytes_out: 1,
      plain_bytes_in: 1,
      plain_bytes_out: 1,
      compression: null,
      flow: null,
      isolation_fault: null,
      urls: [],
      messages_in: 0,
      last_error: null,
      ...link,
    },
    outbox: {
      mode: "direct",
      depth: 0,
      flash_bytes: 0,
      staged_bytes: 0,
      held: 0,
      delivered: 0,
      live_sent: 0,
      commits: 0,
      fault: null,
      lanes: [],
      losses: [],
      ledger_fault: null,
      free_reserve: 0,
      full: null,
      suspended: [],
      suspended_subjects: 0,
      reconcile: null,
      recovery: { records: 0, torn_bytes: 0, damaged: 0 },
      ...outbox,
    },
  };
}

function portOf(more: Partial<SerialReport>): SerialReport {
  return {
    name: "weather",
    match: "",
    path: null,
    identity: null,
    state: "open",
    since: "",
    code: null,
    cause: null,
    is_silent: false,
    degraded: null,
    is_paused: false,
    bytes: 0,
    frames: 0,
    messages: 0,
    errors: 0,
    overruns: 0,
    opens: 0,
    reopens: 0,
    power_cycles: 0,
    last_frame: null,
    last_error: null,
    last_bad_frame: null,
    commands: { waiting: 0, done: 0, refused: 0, late: 0, failed: 0, last_fault: null },
    units: null,
    bus: null,
    ...more,
  };
}
