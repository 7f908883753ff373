// Keeps the page open. One that cannot be opened is told of, in status too, and stops nothing else: readings are kept all the same.
//
//   open ── change ──▶ closing ─▶ opening ─┬─▶ open
//                                          └─▶ failed ── 30 s ──▶ opening
//
// The port may have been another program's for a moment, and the one who could mend the settings would do so by this page.

import type { Clock, Millis } from "#base/clock.ts";
import { explain, isFault } from "#base/errors.ts";
import type { Log } from "#base/log.ts";
import { formatEndpoint } from "#base/net.ts";
import type { PageReport } from "#status/report.ts";
import type { WebOptions } from "#web/server/options.ts";
import type { Web } from "#web/server/web.ts";

const AGAIN_MS: Millis = 30_000;

export interface PageHostEnv {
  readonly clock: Clock;
  readonly log: Log;
}

export class PageHost implements AsyncDisposable {
  readonly #openPage: (options: WebOptions) => Promise<Web>;
  readonly #env: PageHostEnv;
  #options: WebOptions | null = null;
  #web: Web | undefined;
  #fault: string | null = null;
  #again: Disposable | undefined;
  #turn: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(openPage: (options: WebOptions) => Promise<Web>, env: PageHostEnv) {
    this.#openPage = openPage;
    this.#env = env;
  }

  /** null: there is no page. Resolves when it was tried; `report` says with what success. */
  change(options: WebOptions | null): Promise<void> {
    return this.#inTurn(async () => {
      this.#options = options;
      await this.#close();
      await this.#tryOpen();
    });
  }

  /** null: it is off. */
  report(): PageReport | null {
    if (this.#options === null) return null;
    const { listen, tls } = this.#options;
    return {
      state: this.#web === undefined ? "failed" : "open",
      listen: formatEndpoint(this.#web?.endpoint ?? listen),
      tls: tls !== null,
      fault: this.#fault,
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    return this.#inTurn(() => this.#close());
  }

  async #tryOpen(): Promise<void> {
    if (this.#options === null || this.#isClosed) return;
    try {
      this.#web = await this.#openPage(this.#options);
      this.#fault = null;
    } catch (error) {
      if (!isFault(error)) throw error;
      const words = explain(error);
      if (words !== this.#fault) this.#env.log.error("the page cannot be opened; everything else runs", { error: words });
      this.#fault = words;
      this.#again?.[Symbol.dispose]();
      this.#again = this.#env.clock.after(AGAIN_MS, () => void this.#inTurn(() => this.#tryAgain()));
    }
  }

  async #tryAgain(): Promise<void> {
    if (this.#web === undefined) await this.#tryOpen();
  }

  async #close(): Promise<void> {
    this.#again?.[Symbol.dispose]();
    this.#again = undefined;
    this.#fault = null;
    const web = this.#web;
    this.#web = undefined;
    await web?.[Symbol.asyncDispose]();
  }

  #inTurn(action: () => Promise<void>): Promise<void> {
    this.#turn = this.#turn.then(action); // what is thrown here is a bug, and ends the process
    return this.#turn;
  }
}
