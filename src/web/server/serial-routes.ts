// Serial ports: which devices are there, what comes and goes, what a port says now, and what a device may be.
//
//   GET  /api/ports                  the list
//   GET  /api/ports/events           ports {…}, then added {device}, removed {path}: "plug it in now"
//   GET  /api/serial/:name/frames    open {…}, then frame {…}, skipped {count}
//   POST /api/ports/guess {path}     try {baud_rate, …} for each speed, then done {proposals}
//
// Who looks at frames gets as many as a person can follow; the rest are counted, and not even decoded. The port waits for nobody.

import { type Millis, timestamp } from "#base/clock.ts";
import { explain, isFault } from "#base/errors.ts";
import { fields, required } from "#base/schema.ts";
import { text } from "#base/schema-text.ts";
import { displaySubject } from "#core/subject.ts";
import { jsonAnswer } from "./answer.ts";
import { WEB_BUSY, WEB_NOT_FOUND, WEB_UNAVAILABLE, WebRefusal } from "./errors.ts";
import type { SeenFrame, SerialDesk } from "./live-desks.ts";
import type { LiveStream } from "./live-streams.ts";
import { textOf } from "./message-view.ts";
import type { Parts } from "./parts.ts";
import { type Route, route } from "./route.ts";
import { Spacing } from "./spacing.ts";
import { SparingTrail } from "./sparing-trail.ts";

const LOOK_MS: Millis = 1_000;
/** From a hint to the look: the device file gets its rights a moment after its name. */
const HINT_PAUSE_MS: Millis = 100;
const FRAMES_A_SECOND = 50;

const guessBody = fields({ path: required(text("the path of a device, such as /dev/ttyUSB0"), "device") });

export function serialRoutes({ env, serial, audit }: Parts): readonly Route[] {
  const { clock } = env;
  const trail = new SparingTrail(audit, clock);
  let isGuessing = false;
  const desk = (): SerialDesk => {
    if (serial !== null) return serial;
    throw new WebRefusal(503, WEB_UNAVAILABLE, "this daemon has no serial ports");
  };
  const mustNotGuess = () => {
    if (isGuessing) throw new WebRefusal(409, WEB_BUSY, "a device is being listened to already; wait for it to end");
  };
  return [
    route({ method: "GET", path: "/api/ports", least: "technician", run: async () => jsonAnswer(200, await desk().list()) }),
    route({
      method: "GET",
      path: "/api/ports/events",
      least: "technician",
      run: async () => {
        const ports = desk();
        return { live: (stream) => new Watch(ports, stream, clock).run() };
      },
    }),
    route({
      method: "GET",
      path: "/api/serial/:name/frames",
      least: "technician",
      async run({ name }) {
        const ports = desk();
        return {
          async live(stream) {
            const spacing = new Spacing(FRAMES_A_SECOND, clock, (count) => stream.tell("skipped", { count }));
            using _spacing = spacing;
            const gone = Promise.withResolvers<void>();
            const tapped = ports.listen(name, {
              wantsFrame: () => spacing.take(),
              onFrame: (frame) => {
                if (!stream.tell("frame", shownOf(frame, timestamp(clock.wall())))) spacing.skip();
              },
              onMoved: (facts) => (facts === null ? gone.resolve() : void stream.tell("open", facts)),
            });
            if (tapped === undefined)
              throw new WebRefusal(404, WEB_NOT_FOUND, "the settings that run have no serial port of this name");
            using _end = tapped.end;
            stream.tell("open", tapped.facts);
            await Promise.race([stream.over, gone.promise]);
          },
        };
      },
    }),
    route({
      method: "POST",
      path: "/api/ports/guess",
      least: "technician",
      body: guessBody,
      async run({ body: { path }, session, address }) {
        const ports = desk();
        mustNotGuess();
        await trail.note({ action: "serial device listened to", outcome: "done", user: session!.user, address, detail: path });
        return {
          async live(stream) {
            mustNotGuess(); // somebody else's may have begun meanwhile
            isGuessing = true;
            try {
              stream.tell("done", await ports.guess(path, (line) => void stream.tell("try", line), stream.signal));
            } finally {
              isGuessing = false;
            }
          },
        };
      },
    }),
  ];
}

function shownOf({ bytes, size, messages, fault }: SeenFrame, at: string): object {
  return {
    at,
    size,
    hex: bytes.toString("hex"),
    text: textOf(bytes, bytes.length < size),
    truncated: bytes.length < size,
    decoded:
      messages?.map(({ subject, payload }) => ({ subject: displaySubject(subject), payload: payload.toString("utf8") })) ?? null,
    error: fault,
  };
}

/** Looks once a second, and when the system hints that something came or went, as long as somebody reads. */
class Watch {
  readonly #desk: SerialDesk;
  readonly #stream: LiveStream;
  readonly #clock: Parts["env"]["clock"];
  #known: ReadonlyMap<string, string> = new Map();
  #isLooking = false;
  #fault: string | null = null;

  constructor(desk: SerialDesk, stream: LiveStream, clock: Parts["env"]["clock"]) {
    this.#desk = desk;
    this.#stream = stream;
    this.#clock = clock;
  }

  async run(): Promise<void> {
    const all = await this.#desk.list();
    this.#known = await this.#desk.glance().catch(() => new Map<string, string>()); // the list says why
    this.#stream.tell("ports", all);
    using _timer = this.#clock.every(LOOK_MS, () => void this.#look());
    let hinted: Disposable | undefined;
    const look = () => {
      hinted = undefined;
      void this.#look();
    };
    using _hints = this.#desk.watch(() => {
      hinted ??= this.#clock.after(HINT_PAUSE_MS, look); // one look for many hints
    });
    await this.#stream.over;
    hinted?.[Symbol.dispose]();
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      const now = await this.#desk.glance();
      this.#fault = null;
      await this.#compare(now);
    } catch (error) {
      if (!isFault(error)) throw error;
      const words = explain(error);
      if (words !== this.#fault) this.#stream.tell("trouble", { message: words });
      this.#fault = words;
    } finally {
      this.#isLooking = false;
    }
  }

  async #compare(now: ReadonlyMap<string, string>): Promise<void> {
    const before = this.#known;
    this.#known = now;
    const isOther = (path: string) => before.get(path) !== now.get(path);
    const removed = [...before.keys()].filter(isOther);
    const added = [...now.keys()].filter(isOther);
    for (const path of removed) this.#stream.tell("removed", { path });
    if (added.length === 0) return;
    const { devices } = (await this.#desk.list()) as { readonly devices: readonly { readonly path: string }[] };
    for (const device of devices) if (added.includes(device.path)) this.#stream.tell("added", { device });
  }
}
