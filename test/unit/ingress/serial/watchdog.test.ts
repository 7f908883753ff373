import assert from "node:assert/strict";
import { test } from "node:test";
import { ALL_WELL, type PortLook, type WatchOptions, type WatchState, watchPort } from "#ingress/serial/watchdog.ts";

const OPTIONS: WatchOptions = { silenceAfter: 60_000, errorBudget: 10, reopen: { onSilence: true }, usbPowerCycle: true };

/** A port that is looked at once a second, and opened anew two seconds after it was to be. */
class Watched {
  state: WatchState = ALL_WELL;
  now = 1_000_000;
  openedAt = 1_000_000;
  opening = 1;
  lastFrameAt = Number.NEGATIVE_INFINITY;
  badFrames = 0;
  canCycle = true;
  /** `<second> <what>` */
  readonly said: string[] = [];
  readonly #options: WatchOptions;

  constructor(options: Partial<WatchOptions> = {}) {
    this.#options = { ...OPTIONS, ...options };
  }

  /** `each`: what happens in each second. */
  seconds(count: number, each: (port: Watched) => void = () => undefined): void {
    for (let i = 0; i < count; i++) {
      this.now += 1000;
      each(this);
      const { now, opening, openedAt, lastFrameAt, badFrames, canCycle } = this;
      if (now < openedAt) continue;
      const look: PortLook = { now, opening, openedAt, lastFrameAt, badFrames, canCycle };
      const [next, action] = watchPort(this.state, look, this.#options);
      if (action !== "none") {
        this.openedAt = now + 2000;
        this.opening += 1;
        this.said.push(`${(now - 1_000_000) / 1000} ${action}`);
      }
      if (next.rung === "degraded" && this.state.rung !== "degraded") this.said.push(`${(now - 1_000_000) / 1000} degraded`);
      this.state = next;
    }
  }
}

const frame = (port: Watched) => {
  port.lastFrameAt = port.now;
};
const noise = (port: Watched) => {
  port.badFrames += 1;
};

test("a port whose frames come is left alone, for days", () => {
  const port = new Watched();
  port.seconds(200_000, frame);
  assert.deepEqual(port.said, []);
  assert.deepEqual([port.state.isSilent, port.state.isNoisy], [false, false]);
});

test("silence: opened anew, then off the bus, then only reported, and again after an hour", () => {
  const port = new Watched();
  port.seconds(4200);
  assert.deepEqual(port.said.slice(0, 4), ["60 reopen", "122 cycle-power", "184 degraded", "3784 reopen"]);
});

test("silence is only reported where opening anew is not allowed", () => {
  const port = new Watched({ reopen: { onSilence: false } });
  port.seconds(7200);
  assert.deepEqual(port.said, []);
  assert.equal(port.state.isSilent, true);
});

test("silence is not over because the port was opened anew, but with the next frame", () => {
  const port = new Watched();
  port.seconds(65);
  assert.equal(port.openedAt, 1_062_000);
  assert.equal(port.state.isSilent, true);
  port.seconds(1, frame);
  assert.deepEqual([port.state.isSilent, port.state.rung], [false, "well"]);
});

test("a port that recovered begins at the first rung when it fails again", () => {
  const port = new Watched();
  port.seconds(65);
  port.seconds(10, frame);
  port.seconds(60);
  assert.deepEqual(port.said, ["60 reopen", "135 reopen"]);
});

test("a port that was given up and came back by itself is not forgotten", () => {
  const port = new Watched({ usbPowerCycle: false });
  port.seconds(125);
  port.seconds(100, frame);
  assert.equal(port.state.rung, "well");
  port.seconds(60);
  assert.deepEqual(port.said, ["60 reopen", "122 degraded", "285 reopen"]);
});

test("noise beyond the budget acts at once, up to the budget never", () => {
  const calm = new Watched({ silenceAfter: null });
  calm.seconds(3600, (port) => {
    if (port.now % 6000 === 0) noise(port); // 10 a minute
  });
  assert.deepEqual(calm.said, []);
  const port = new Watched({ silenceAfter: null, usbPowerCycle: false });
  port.seconds(30, noise);
  assert.deepEqual(port.said, ["12 reopen", "25 degraded"]);
});

test("good frames among the bad ones do not make a noisy line a good one", () => {
  const port = new Watched();
  port.seconds(60, (each) => {
    frame(each);
    noise(each);
  });
  assert.deepEqual(port.said, ["12 reopen", "25 cycle-power", "38 degraded"]);
});

test("noise is over after a whole minute within the budget", () => {
  const port = new Watched({ silenceAfter: null });
  port.seconds(12, noise);
  port.seconds(50);
  assert.equal(port.state.isNoisy, true);
  port.seconds(15);
  assert.deepEqual([port.state.isNoisy, port.state.rung], [false, "well"]);
});

test("a device that is no USB device, or whose hub others need, is never taken off the bus", () => {
  const port = new Watched();
  port.canCycle = false;
  port.seconds(200);
  assert.deepEqual(port.said, ["60 reopen", "122 degraded"]);
});

test("the bus is left alone for a quarter of an hour after each time", () => {
  const port = new Watched({ errorBudget: 1, silenceAfter: null });
  port.seconds(7);
  for (let round = 0; round < 6; round++) {
    port.seconds(20, noise);
    port.seconds(130);
  }
  const cycles = port.said.filter((line) => line.endsWith("cycle-power")).map((line) => Number(line.split(" ")[0]));
  for (const [i, at] of cycles.entries()) if (i > 0) assert.ok(at - cycles[i - 1]! >= 900, port.said.join(", "));
  assert.equal(cycles.length, 1);
});

test("with both watchdogs off nothing is ever done", () => {
  const port = new Watched({ silenceAfter: null, errorBudget: null });
  port.seconds(10_000, noise);
  assert.deepEqual(port.said, []);
  assert.deepEqual([port.state.isSilent, port.state.isNoisy], [false, false]);
});
