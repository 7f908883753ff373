// balena's supervisor, as far as a service may ask it: is an update waiting, start us again, reboot the board, give it a name.
// Its address and a key for us alone come in the environment, by a label in image/docker-compose.yml.

import type { Millis } from "#base/clock.ts";
import { Secret } from "#base/secret.ts";
import { SupervisorError } from "./errors.ts";
import type { Http, HttpAnswer } from "./http.ts";

/** Restart and reboot are answered at once, state after a look at the board. */
const TIMEOUT_MS: Millis = 10_000;
/** What a host may be called: one label of a DNS name (RFC 1123). */
const HOST_NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

export interface SupervisorPlace {
  /** `http://127.0.0.1:48484` */
  readonly address: string;
  readonly key: Secret;
  /** balena's number of the fleet; null: not told. */
  readonly appId: number | null;
}

export interface DeviceState {
  /** The supervisor's own word: "Idle", "Downloading", "Installing" … */
  readonly status: string;
  /** The release that runs; null: unknown. */
  readonly commit: string | null;
  readonly isUpdatePending: boolean;
  readonly isUpdateDownloaded: boolean;
  /** Of a release on its way, 0 … 100; null: none is. */
  readonly downloadPercent: number | null;
}

/** undefined: there is no supervisor here, or we may not ask it. */
export function supervisorPlace(environment: Readonly<Record<string, string | undefined>>): SupervisorPlace | undefined {
  const address = environment["BALENA_SUPERVISOR_ADDRESS"];
  const key = environment["BALENA_SUPERVISOR_API_KEY"];
  if (!address || !key || !/^http:\/\/[\w.:[\]-]+\/?$/.test(address)) return undefined;
  const appId = Number(environment["BALENA_APP_ID"]);
  return {
    address: address.replace(/\/$/, ""),
    key: new Secret(key),
    appId: Number.isSafeInteger(appId) && appId > 0 ? appId : null,
  };
}

export class Supervisor {
  readonly #place: SupervisorPlace;
  readonly #http: Http;

  constructor(place: SupervisorPlace, http: Http) {
    this.#place = place;
    this.#http = http;
  }

  async state(signal: AbortSignal): Promise<DeviceState> {
    const found = json(await this.#ask("GET", "/v1/device", undefined, "the state of the device", signal));
    const percent = found["download_progress"];
    return {
      status: typeof found["status"] === "string" ? found["status"] : "unknown",
      commit: typeof found["commit"] === "string" && found["commit"] !== "" ? found["commit"] : null,
      isUpdatePending: found["update_pending"] === true,
      isUpdateDownloaded: found["update_downloaded"] === true,
      downloadPercent: typeof percent === "number" && Number.isFinite(percent) ? percent : null,
    };
  }

  /** Starts every service of the fleet on this board anew. We are one of them: whoever asks should be ready to end. */
  async restart(signal: AbortSignal): Promise<void> {
    const { appId } = this.#place;
    if (appId === null) {
      throw new SupervisorError(
        "SUPERVISOR_UNCLEAR",
        "cannot ask for a restart: wanted the fleet's number in BALENA_APP_ID, found none",
      );
    }
    await this.#ask("POST", "/v1/restart", { appId }, "a restart", signal);
  }

  /** Rejects with SUPERVISOR_LOCKED while an update lock is held. */
  async reboot(signal: AbortSignal): Promise<void> {
    await this.#ask("POST", "/v1/reboot", {}, "a reboot", signal);
  }

  /** The board is off from then on, until somebody takes its power away and gives it back. Rejects as `reboot` does. */
  async shutdown(signal: AbortSignal): Promise<void> {
    await this.#ask("POST", "/v1/shutdown", {}, "a shutdown", signal);
  }

  /** The board is `<name>.local` from then on. The supervisor restarts its engine for it, so we end as well. */
  async rename(name: string, signal: AbortSignal): Promise<void> {
    if (!HOST_NAME.test(name)) {
      throw new SupervisorError(
        "SUPERVISOR_BAD_NAME",
        `cannot name the board: wanted 1 to 63 of a-z, 0-9 and inner hyphens, found ${JSON.stringify(name.slice(0, 80))}`,
      );
    }
    await this.#ask("PATCH", "/v1/device/host-config", { network: { hostname: name } }, "a new host name", signal);
  }

  async #ask(method: "GET" | "POST" | "PATCH", path: string, body: unknown, what: string, signal: AbortSignal): Promise<string> {
    const { address, key } = this.#place;
    const headers = {
      authorization: `Bearer ${key.reveal()}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    };
    const content = body === undefined ? {} : { body: JSON.stringify(body) };
    let answer: HttpAnswer;
    try {
      answer = await this.#http({ method, url: address + path, headers, ...content, timeoutMs: TIMEOUT_MS }, signal);
    } catch (cause) {
      signal.throwIfAborted();
      throw new SupervisorError(
        "SUPERVISOR_UNREACHABLE",
        `asked balena's supervisor at ${address} for ${what}, and got no answer`,
        { cause },
      );
    }
    if (answer.status >= 200 && answer.status < 300) return answer.body;
    const asked = `asked balena's supervisor for ${what}`;
    if (answer.status === 401 || answer.status === 403) {
      throw new SupervisorError(
        "SUPERVISOR_REFUSED",
        `${asked}, and our key is not good; the service needs the label io.balena.features.supervisor-api`,
      );
    }
    if (answer.status === 423) {
      throw new SupervisorError(
        "SUPERVISOR_LOCKED",
        `${asked}, and an update lock is held; try again when the outbox is drained`,
      );
    }
    throw new SupervisorError("SUPERVISOR_UNCLEAR", `${asked}, and it answered with status ${answer.status}`);
  }
}

function json(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value as Readonly<Record<string, unknown>>;
  } catch {
    // told below
  }
  throw new SupervisorError(
    "SUPERVISOR_UNCLEAR",
    `balena's supervisor answered ${text.length} characters that are no JSON object`,
  );
}
