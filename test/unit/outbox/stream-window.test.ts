import assert from "node:assert/strict";
import { test } from "node:test";
import { StreamWindow, WINDOW_MAX, WINDOW_MIN, WINDOW_START } from "#outbox/stream-window.ts";

function grown(answers: number, window = new StreamWindow()): StreamWindow {
  for (let i = 0; i < answers; i++) window.onBrisk();
  return window;
}

test("answers that come at once make it larger, one for each, up to its end", () => {
  assert.equal(new StreamWindow().limit, WINDOW_START);
  assert.equal(grown(100).limit, WINDOW_START + 100);
  assert.equal(grown(100_000).limit, WINDOW_MAX);
});

test("answers that take seconds halve it, down to a few", () => {
  const window = grown(0);
  window.onSlow();
  assert.equal(window.limit, WINDOW_START / 2);
  for (let i = 0; i < 20; i++) window.onSlow();
  assert.equal(window.limit, WINDOW_MIN);
});

test("one overrun tells what a stream lets wait, however far the window had grown", () => {
  const window = grown(100_000);
  window.onOverrun(500, 4_000);
  assert.equal(window.limit, 250);
});

test("after an overrun it comes soon to three quarters of what was too much, and does not reach that for half a million answers", () => {
  const window = grown(100_000);
  window.onOverrun(500, 4_000);
  assert.ok(grown(45_000, window).limit >= 375, `${window.limit}`);
  assert.ok(grown(500_000, window).limit < 500, `${window.limit}`);
  assert.ok(grown(5_000_000, window).limit > 1_000, "a stream that was busy with others gets more in the end");
});

test("a stream that is overrun by others leaves a sixteenth, never less than a few", () => {
  const window = grown(100_000);
  window.onOverrun(0, WINDOW_MAX);
  assert.equal(window.limit, WINDOW_MAX / 16);
  for (let i = 0; i < 9; i++) window.onOverrun(0, 1);
  assert.equal(window.limit, WINDOW_MIN);
});
