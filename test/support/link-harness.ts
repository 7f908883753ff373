// A link on its own, with what it told written down, for wire tests against a fake hub.

import type { Clock } from "#base/clock.ts";
import { systemClock } from "#base/clock.ts";
import { decode } from "#base/decode.ts";
import { systemDisk } from "#base/disk.ts";
import { systemEntropy } from "#base/entropy.ts";
import { silentLog } from "#base/log.ts";
import { systemNet } from "#base/net.ts";
import { systemResolver } from "#base/resolver.ts";
import type { Json } from "#base/schema.ts";
import { payloadOf, subjectOf } from "#core/batch.ts";
import { openS2Codec } from "#s2/codec.ts";
import { Dialer } from "#uplink/dialer.ts";
import { Link } from "#uplink/link.ts";
import { type RemoteOptions, remoteOptions } from "#uplink/options.ts";

/** Options from a settings block, as an owner would write it. Reconnects within milliseconds unless told otherwise. */
export function remoteFrom(block: { readonly [key: string]: Json }): RemoteOptions {
  const decoded = decode(remoteOptions, { reconnect: { min: "10ms", max: "20ms" }, ...block }, "/nowhere");
  if (!("value" in decoded)) throw new Error(JSON.stringify(decoded.faults));
  return decoded.value;
}

export class LinkHarness implements AsyncDisposable {
  readonly link: Link;
  /** One line per event: `ready`, `down`, `msg subject=payload`, `ls+ x null`, `receipt`. */
  readonly heard: string[] = [];
  readonly interest: string[] = [];
  readonly #waiting: { readonly line: RegExp; readonly resolve: () => void }[] = [];

  constructor(remote: RemoteOptions, options: { readonly clock?: Clock; readonly dataDir?: string } = {}) {
    const clock = options.clock ?? systemClock();
    const disk = systemDisk();
    const resolver = systemResolver({ clock, disk });
    const env = {
      clock,
      disk,
      dialer: new Dialer({ clock, net: systemNet(), resolver, log: silentLog() }, null),
      entropy: systemEntropy(),
      log: silentLog(),
      codec: openS2Codec(),
    };
    this.link = new Link(remote, { serverName: "gw-1", dataDir: options.dataDir ?? "/nowhere", account: "EDGE" }, env, {
      writeInterest: (out) => {
        for (const filter of this.interest) out.text(`LS+ ${filter}\r\n`);
      },
      onReady: () => this.#say("ready"),
      onDown: () => this.#say("down"),
      onBatch: (batch) => {
        for (let i = 0; i < batch.count; i++) this.#say(`msg ${subjectOf(batch, i)}=${payloadOf(batch, i).toString()}`);
      },
      onInterest: (filter, queue) => {
        if (!filter.startsWith("$LDS.")) this.#say(`ls+ ${filter} ${queue}`);
      },
      onInterestGone: (filter, queue) => this.#say(`ls- ${filter} ${queue}`),
      onRejected: (text) => this.#say(`rejected ${text}`),
      onReceipt: () => this.#say("receipt"),
      onRoom: () => this.#say("room"),
    });
  }

  /** Resolves when a line like this has been or is heard. */
  async hears(line: RegExp): Promise<void> {
    if (this.heard.some((each) => line.test(each))) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(
      () => reject(new Error(`never heard ${line}; heard ${JSON.stringify(this.heard)}; ${JSON.stringify(this.link.status())}`)),
      5000,
    );
    this.#waiting.push({ line, resolve });
    await promise.finally(() => clearTimeout(timer));
  }

  /** Forgets what was heard so far. */
  forget(): void {
    this.heard.length = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.link[Symbol.asyncDispose]();
  }

  #say(line: string): void {
    this.heard.push(line);
    for (const each of this.#waiting) if (each.line.test(line)) each.resolve();
  }
}
