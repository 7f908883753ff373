// Links as the page tells of them, without a browser: the ribbon of a day, and each state in a sentence.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { LinkMoveReport } from "#status/history-report.ts";
import type { RemoteReport } from "#status/report.ts";
import { hostOf, linkSentence, phaseOf } from "#web/page/dashboard/link-sentence.ts";
import { ribbonPieces } from "#web/page/dashboard/ribbon-spans.ts";

const HOUR = 3_600_000;
const at = (ms: number) => new Date(ms).toISOString();

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
