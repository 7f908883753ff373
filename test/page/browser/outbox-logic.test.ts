// Outboxes as the page tells of them, without a browser: what waits, what an outage cost, how long the card lasts.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { LossReport } from "#status/report.ts";
import { flashLife } from "#web/page/dashboard/flash-life.ts";
import { outboxSentence } from "#web/page/dashboard/forecast.ts";
import { lossSentence, outageSentence, summedLosses } from "#web/page/dashboard/ledger.ts";
import { ledgerWords, outboxWords } from "#web/page/dashboard/outbox-words.ts";
import { textIn } from "#web/page/words/catalogue.ts";
import { formatIn } from "#web/page/words/format.ts";
import type { Language } from "#web/page/words/languages.ts";

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
