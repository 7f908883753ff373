// What is wrong and what to do, without a browser: from the device's report to sentences.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { LossReport, RemoteReport, SerialReport, StatusReport } from "#status/report.ts";
import { linkFaultWords } from "#web/page/dashboard/link-words.ts";
import { ledgerWords } from "#web/page/dashboard/outbox-words.ts";
import { troubleWords } from "#web/page/dashboard/trouble-words.ts";
import { type TroubleTexts, troublesOf } from "#web/page/dashboard/troubles.ts";
import { textIn } from "#web/page/words/catalogue.ts";
import type { Language } from "#web/page/words/languages.ts";

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
