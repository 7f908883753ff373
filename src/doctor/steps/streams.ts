// Rules with `confirm: stored` wait for a stream's word. Is there a stream, does it take their subjects, and will it answer?
//
// Asked of JetStream's API with requests that change nothing (STREAM.NAMES, STREAM.INFO). A message is not sent to find out: it would be
// stored, and whoever reads the stream would find it there.

import { isFault } from "#base/errors.ts";
import { displaySubject, filterCovers, toSubject } from "#core/subject.ts";
import { type ApiAnswer, asRecord, JetStreamApi } from "#outbox/reconcile/reconcile-api.ts";
import { isJetStreamApi } from "#uplink/unannounced.ts";
import { DOCTOR_NO_JETSTREAM, DOCTOR_NO_STREAM, DOCTOR_STREAM_PARTLY, DOCTOR_STREAM_STORES_NOT } from "../errors.ts";
import { apart, troubleOf } from "../fault-words.ts";
import { brief, broken, DEVICE, type Draft, fine, skipped, type Trouble, warning } from "../finding.ts";
import { eachVisit } from "../hub/each-hub.ts";
import type { HubCase } from "../hub/hub-case.ts";
import { type Visit, visitHub } from "../hub/leaf-visit.ts";
import { type RuledSubject, ruledSubjects } from "../hub/rules-of.ts";
import type { Scene, Step } from "../scene.ts";
import { listed } from "./permissions.ts";

const STREAMS_MAX = 32;
const SHOWN_MAX = 5;
const NO_JETSTREAM = "enable JetStream for the account at the hub, or set confirm to auto in the rules named here";

export const streamsStep: Step = {
  id: "streams",
  title: "the streams that confirm",
  async run(scene: Scene, signal: AbortSignal): Promise<readonly Draft[]> {
    const stored = scene.config === undefined ? [] : ruledSubjects(scene.config).filter(({ rule }) => rule.confirm === "stored");
    if (stored.length === 0) return [skipped(DEVICE, "no rule asks for a stream's word (confirm: stored)")];
    return await eachVisit(scene, (hub, visit) => examine(hub, visit, stored, scene, signal));
  },
};

async function examine(
  hub: HubCase,
  visit: Visit,
  stored: readonly RuledSubject[],
  scene: Scene,
  signal: AbortSignal,
): Promise<readonly Draft[]> {
  const { probe, config } = scene;
  const waiting = `what comes on ${listed(stored)} waits for ever`;
  if (![...visit.filters].some(isJetStreamApi))
    return [
      broken(hub, {
        code: DOCTOR_NO_JETSTREAM,
        cause: `hub ${hub.target} has no JetStream for our account, or keeps $JS.API.> from us: ${waiting}`,
        remedy: NO_JETSTREAM,
      }),
    ];
  try {
    return await visitHub(hub, { serverName: config!.serverName, probe, asks: true }, signal, async (_, requests) => {
      const { clock } = probe.env;
      const api = new JetStreamApi(requests, clock, { deadline: clock.now() + probe.limits.streams, isKnown: false }, signal);
      return await ask(hub, stored, api);
    });
  } catch (error) {
    signal.throwIfAborted();
    if (!isFault(error)) throw error;
    return [broken(hub, troubleOf(error))];
  }
}

interface Stream {
  readonly name: string;
  /** latin1 form. */
  readonly subjects: readonly string[];
  /** Why it will not confirm; null: it will. */
  readonly fault: string | null;
}

async function ask(hub: HubCase, stored: readonly RuledSubject[], api: JetStreamApi): Promise<readonly Draft[]> {
  const known = new Map<string, Stream>();
  const drafts: Draft[] = [];
  for (const subject of stored) {
    const names = await api.call("STREAM.NAMES", { subject: displaySubject(subject.filter) });
    if (names.is === "failed") return [broken(hub, { code: DOCTOR_NO_JETSTREAM, ...silence(hub, names.text) })];
    const list = (Array.isArray(names.body["streams"]) ? names.body["streams"] : []).filter((name) => typeof name === "string");
    const streams: Stream[] = [];
    for (const name of list.slice(0, STREAMS_MAX)) {
      const stream = known.get(name) ?? streamOf(name, await api.call(`STREAM.INFO.${name}`, null));
      known.set(name, stream);
      streams.push(stream);
    }
    drafts.push(judge(hub, subject, streams));
  }
  return drafts;
}

function silence({ target }: HubCase, text: string): Pick<Trouble, "cause" | "remedy"> {
  return { cause: `JetStream of hub ${target} cannot be asked: ${apart(text).cause}`, remedy: NO_JETSTREAM };
}

function streamOf(name: string, answer: ApiAnswer): Stream {
  if (answer.is === "failed") return { name, subjects: [], fault: `tells nothing (${answer.text})` };
  const config = asRecord(answer.body["config"]) ?? {};
  const state = asRecord(answer.body["state"]) ?? {};
  const subjects = (Array.isArray(config["subjects"]) ? config["subjects"] : []).filter((each) => typeof each === "string");
  return { name, subjects: subjects.map(toSubject), fault: whyNot(config, state) };
}

type Fields = Readonly<Record<string, unknown>>;

/** As the end of a sentence: "stream X …". */
function whyNot(config: Fields, state: Fields): string | null {
  if (config["no_ack"] === true) return "never answers (no_ack)";
  if (config["sealed"] === true) return "is sealed";
  const isFull = (limit: string, has: string) => {
    const [most, now] = [config[limit], state[has]];
    return typeof most === "number" && most > 0 && typeof now === "number" && now >= most;
  };
  if (config["discard"] === "new" && (isFull("max_msgs", "messages") || isFull("max_bytes", "bytes")))
    return "is full and refuses what is new (discard new)";
  return null;
}

/** Pure. */
function judge(hub: HubCase, subject: RuledSubject, streams: readonly Stream[]): Draft {
  const { target } = hub;
  const what = `${displaySubject(subject.filter)} (${subject.place})`;
  const facts = { subject: displaySubject(subject.filter), streams: streams.slice(0, SHOWN_MAX).map(({ name }) => brief(name)) };
  if (streams.length === 0)
    return broken(
      hub,
      {
        code: DOCTOR_NO_STREAM,
        cause: `no stream at hub ${target} stores ${what}, so what comes on it waits for ever`,
        remedy: "make a stream with this subject in our account, or set confirm to auto in this rule",
      },
      facts,
    );
  const deaf = streams.find(({ fault }) => fault !== null);
  if (deaf !== undefined)
    return broken(
      hub,
      {
        code: DOCTOR_STREAM_STORES_NOT,
        cause: `stream ${brief(deaf.name)} at hub ${target}, which takes ${what}, ${deaf.fault}: what comes on it waits`,
        remedy: "change the stream's configuration at the hub, or set confirm to auto in this rule",
      },
      facts,
    );
  if (!streams.some(({ subjects }) => subjects.some((filter) => filterCovers(filter, subject.filter))))
    return warning(
      hub,
      {
        code: DOCTOR_STREAM_PARTLY,
        cause: `the streams at hub ${target} (${facts.streams.join(", ")}) take only a part of ${what}; the rest waits`,
        remedy: "give a stream all of this subject, or name in this rule what is stored",
      },
      facts,
    );
  return fine(hub, `stream ${facts.streams.join(", ")} stores ${what}`, facts);
}
