// The doctor, live: each finding as soon as it is found. Of the device as it is, or of one hub that is not in the settings yet.
//
//   POST /api/doctor {}            ▶ begin {steps} ▶ step {…} ▶ step {…} … ▶ done {summary, compact, …}
//   POST /api/doctor {remote: {…}}   the same, with the steps that are about this hub
//
// One at a time: two would measure each other. Whoever goes away ends theirs.

import { isObject } from "#base/decode.ts";
import { jsonAnswer } from "./answer.ts";
import { WEB_BODY, WEB_BUSY, WEB_UNAVAILABLE, WebRefusal } from "./errors.ts";
import type { DoctorDesk } from "./live-desks.ts";
import type { Parts } from "./parts.ts";
import { type Route, route } from "./route.ts";
import { SparingTrail } from "./sparing-trail.ts";

/** A remote brings no certificates along: files of the device, by their path. */
const REMOTE_BODY_BYTES_MAX = 32 * 1024;

export function doctorRoutes(parts: Parts): readonly Route[] {
  const trail = new SparingTrail(parts.audit, parts.env.clock);
  let isBusy = false;
  const desk = (): DoctorDesk => {
    if (parts.doctor !== null) return parts.doctor;
    throw new WebRefusal(503, WEB_UNAVAILABLE, "this daemon has no doctor");
  };
  const mustBeIdle = () => {
    if (isBusy) throw new WebRefusal(409, WEB_BUSY, "an examination is under way already; wait for it to end");
  };
  return [
    route<unknown>({
      method: "POST",
      path: "/api/doctor",
      least: "technician",
      bodyBytesMax: REMOTE_BODY_BYTES_MAX,
      async run({ body, session, address }) {
        mustBeIdle();
        const remote = remoteIn(body);
        const examination = await desk().prepare(remote);
        const detail = remote === undefined ? "of the device" : "of a hub that is not in the settings"; // its URL may hold a password
        await trail.note({ action: "examination", outcome: "done", user: session!.user, address, detail });
        return {
          async live(stream) {
            mustBeIdle(); // somebody else's may have begun meanwhile
            isBusy = true;
            try {
              stream.tell("begin", { steps: examination.steps });
              const report = await examination.run((finding) => void stream.tell("step", finding), stream.signal);
              stream.tell("done", report);
            } finally {
              isBusy = false;
            }
          },
        };
      },
    }),
    route({
      method: "GET",
      path: "/api/doctor",
      least: "technician",
      run: async () => jsonAnswer(200, { busy: isBusy }),
    }),
  ];
}

/** undefined: the device as it is. */
function remoteIn(body: unknown): unknown {
  if (body === undefined) return undefined;
  if (!isObject(body) || Object.keys(body).some((key) => key !== "remote"))
    throw new WebRefusal(400, WEB_BODY, 'the body wants {} or {"remote": {…}}');
  const { remote } = body;
  if (remote === undefined || remote === null) return undefined;
  if (!isObject(remote))
    throw new WebRefusal(400, WEB_BODY, '"remote" wants an object such as {"urls": ["tls://hub.example.com:7422"]}');
  return remote;
}
