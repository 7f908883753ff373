// Whether hubs that speak MQTT take what is copied for them (`mqtt.hub_mqtt`), for one account: their subscribers of QoS 1 and 2 get
// nothing of it where they do not, and nobody there would notice.
//
//   unused ── first copy ──▶ passing ── no hub took one, and a hub says why ──▶ refused ── a hub takes them ──▶ passing
//
// Told in the log when it begins and when it ends. A link that is down says nothing: what was the case before it still is. Looked at where
// a copy reaches nobody, and every few seconds as long as there are copies, or trouble.
// Tests: test/unit/ingress/mqtt/parts.test.ts, test/integration/mqtt-hub-refuses.test.ts

import type { Clock, Millis, WallMillis } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { type Batch, subjectOf } from "#core/batch.ts";
import { displaySubject } from "#core/subject.ts";

const LOOK_MS: Millis = 5_000;
/** Between two looks for the sake of copies that reach nobody. */
const LOOK_AGAIN_MS: Millis = 1_000;
const RETAINED = "$MQTT.rmsgs.";
const WORDS = {
  denied: {
    found: (hub: string, subject: string) => `hub ${hub} does not let this device publish to ${subject}`,
    remedy:
      "let this device's user at the hub publish to $MQTT.msgs.> (and to $MQTT.rmsgs.> for retained messages), and leave both out of deny_exports",
  },
  absent: {
    found: (hub: string, subject: string) => `hub ${hub} stores nothing of ${subject}`,
    remedy:
      "give the hub an mqtt block and its account JetStream; if it has both, no MQTT client has been there yet; if it is to have none, set mqtt.hub_mqtt to null",
  },
} as const;

/** What one hub makes of a subject now. `away`: nobody can tell. */
export interface HubTaking {
  readonly hub: string;
  readonly takes: "yes" | "denied" | "absent" | "away";
  /** Another object for each link there was; undefined: there is none now. */
  readonly link?: object | undefined;
}

export interface CopyWatchDeps {
  readonly account: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Of all hubs of this account; `subject` is literal, latin1 form. */
  hubs(subject: string): readonly HubTaking[];
}

export interface CopyStatus {
  readonly account: string;
  readonly state: "unused" | "passing" | "refused";
  /** Copies that no hub took, since the start. */
  readonly refused: number;
  /** Why the last of them was refused, in words; null: none was. */
  readonly reason: string | null;
  /** Since when they are refused; null: they are not. */
  readonly sinceWall: WallMillis | null;
}

export class CopyWatch implements Disposable {
  readonly #deps: CopyWatchDeps;
  /** Of the newest copy; "": there was none. */
  #subject = "";
  #refused = 0;
  #reason: string | null = null;
  #sinceWall: WallMillis | null = null;
  /** The hub that refuses, and why; "": none does. */
  #fault = "";
  #lookedAt: Millis = Number.NEGATIVE_INFINITY;
  /** A copy came since the last look. */
  #isNews = false;
  /** No hub could tell. */
  #isUndecided = false;
  #timer: Disposable | undefined;

  constructor(deps: CopyWatchDeps) {
    this.#deps = deps;
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }

  /** Copies are about to be published. Returns whom to tell of those that reach nobody. */
  begin(copies: Batch): (batch: Batch, index: number) => void {
    if (!this.#isNews || this.#timer === undefined) {
      this.#isNews = true;
      if (this.#sinceWall === null) this.#subject = subjectOf(copies, 0); // else the one that is refused tells when it is over
      this.#timer ??= this.#deps.clock.every(LOOK_MS, () => this.#onTimer());
    }
    return this.#onUnheard;
  }

  status(): CopyStatus {
    const state = this.#subject === "" ? "unused" : this.#sinceWall === null ? "passing" : "refused";
    return { account: this.#deps.account, state, refused: this.#refused, reason: this.#reason, sinceWall: this.#sinceWall };
  }

  /** In the middle of a routing pass: it only looks. */
  #onUnheard = (batch: Batch, index: number): void => {
    if (this.#sinceWall === null && this.#deps.clock.now() - this.#lookedAt >= LOOK_AGAIN_MS) {
      this.#subject = subjectOf(batch, index);
      this.#look();
    }
    if (this.#sinceWall !== null) this.#refused += 1; // else the link is down, and nobody was promised anything
  };

  #onTimer(): void {
    this.#look();
    if (this.#isNews || this.#isUndecided || this.#sinceWall !== null) this.#isNews = false;
    else this[Symbol.dispose]();
  }

  #look(): void {
    const { clock, hubs } = this.#deps;
    this.#lookedAt = clock.now();
    const found = hubs(this.#subject);
    const hubThat = (what: HubTaking["takes"]) => found.find(({ takes }) => takes === what)?.hub;
    const [denying, lacking] = [hubThat("denied"), hubThat("absent")];
    this.#isUndecided = found.every(({ takes }) => takes === "away");
    if (hubThat("yes") !== undefined) this.#onTaken();
    else if (denying !== undefined) this.#onRefused(denying, "denied");
    else if (lacking !== undefined) this.#onRefused(lacking, "absent");
  }

  #onRefused(hub: string, why: keyof typeof WORDS): void {
    const { account, clock, log } = this.#deps;
    const { found, remedy } = WORDS[why];
    const cause = found(hub, displaySubject(this.#subject));
    this.#reason = `${cause}; ${remedy}`;
    const fault = `${why} ${hub}`;
    if (this.#fault === fault) return;
    this.#fault = fault;
    this.#sinceWall ??= clock.wall();
    const message = this.#subject.startsWith(RETAINED)
      ? "retained messages of ours are not retained at the hub"
      : "subscribers of QoS 1 and 2 at the hub's own MQTT port get nothing of our messages of QoS 1 and 2";
    log.warn(message, { account, because: cause, remedy });
  }

  #onTaken(): void {
    if (this.#sinceWall === null) return;
    const { account, log } = this.#deps;
    this.#fault = "";
    this.#sinceWall = null;
    log.info("the hub takes what its own MQTT clients need of our messages again", { account, refused_so_far: this.#refused });
  }
}
