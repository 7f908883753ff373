// What the page asks of the device: JSON over fetch, and server-sent events over fetch too, so that the session's token goes along.
//
// The token comes with every answer about the session and goes back with every change. When the device says that the session is gone,
// whoever listens by onSignedOut hears it, and the login appears. What only asks (GET) waits for the next login and is then asked again,
// streams too: whatever is on the screen goes on after it; if it is somebody else's login, it is refused. A change is refused, and
// whoever made it makes it again.

export interface ApiFault {
  readonly path: string;
  readonly kind: string;
  readonly wanted: string;
  readonly found: string;
  readonly remedy: string;
}

/** A refusal of the device, or (code "") a request that did not reach it. */
export class ApiError extends Error {
  readonly code: string;
  readonly status: number;
  readonly faults: readonly ApiFault[];

  constructor(status: number, code: string, message: string, faults: readonly ApiFault[] = [], cause?: unknown) {
    super(message, { cause });
    this.status = status;
    this.code = code;
    this.faults = faults;
  }
}

export type StreamState = "opening" | "open" | "lost" | "ended" | "refused";

export interface StreamOptions {
  readonly method?: "GET" | "POST";
  readonly body?: unknown;
  /** `lost`: it will be tried again (GET only). `ended`: the device closed it, or a POST is over. `refused`: with the reason. */
  readonly onState?: (state: StreamState, error?: ApiError) => void;
}

/** `isUnattended`: nobody has asked for it just now, so it does not keep a login alive. */
export interface AskOptions {
  readonly signal?: AbortSignal;
  readonly isUnattended?: boolean;
}

export interface Stream {
  close(): void;
}

const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 4_000;
/** Questions that wait for a login; what is more is refused. The views together ask a dozen. */
const WAITING_MAX = 64;
/** Refusals that another try may overcome. */
const isPassing = (status: number) => status === 0 || status === 429 || status >= 500;

export class Api {
  #csrf = "";
  #onSignedOut: (() => void) | undefined;
  /** Whose session it is, or was until a moment ago; and another number for each one who comes after somebody else. */
  #user: string | undefined;
  #visitor = 0;
  /** How often somebody has logged in here. */
  #logins = 0;
  /** What waits for the next login. */
  readonly #waiting = new Set<() => void>();

  /** One listener: the shell. */
  onSignedOut(listener: () => void): void {
    this.#onSignedOut = listener;
  }

  /** Nobody comes back to what was asked until now: it is refused. */
  forget(): void {
    this.#csrf = "";
    this.#user = undefined;
    this.#visitor += 1;
    this.#logins += 1;
    for (const go of this.#waiting) go();
  }

  get<T>(path: string, options: AskOptions = {}): Promise<T> {
    return this.#json<T>("GET", path, undefined, options);
  }

  post<T>(path: string, body?: unknown): Promise<T> {
    return this.#json<T>("POST", path, body);
  }

  put<T>(path: string, body?: unknown): Promise<T> {
    return this.#json<T>("PUT", path, body);
  }

  del<T>(path: string, body?: unknown): Promise<T> {
    return this.#json<T>("DELETE", path, body);
  }

  /** By GET without a body, by POST with one. */
  async bytes(path: string, body?: unknown): Promise<Blob> {
    return await (await this.#fetch(body === undefined ? "GET" : "POST", path, body)).blob();
  }

  async text(path: string): Promise<string> {
    return await (await this.#fetch("GET", path, undefined)).text();
  }

  /**
   * GET streams come again by themselves until they are closed. `data` is parsed JSON, or the text as it is. What breaks down at the
   * device while it streams (its event `fault`) is a state with an error, as a refusal is.
   */
  stream(path: string, onEvent: (event: string, data: unknown) => void, options: StreamOptions = {}): Stream {
    const ending = new AbortController();
    void this.#follow(path, onEvent, options, ending.signal);
    return { close: () => ending.abort() };
  }

  async #follow(
    path: string,
    onEvent: (event: string, data: unknown) => void,
    { method = "GET", body, onState }: StreamOptions,
    signal: AbortSignal,
  ): Promise<void> {
    let waitMs = RETRY_MS_MIN;
    for (let isUnattended = false; !signal.aborted; isUnattended = true) {
      onState?.("opening");
      let failure: ApiError | undefined;
      try {
        const response = await this.#fetch(method, path, body, { signal, isUnattended, accept: "text/event-stream" });
        if (signal.aborted) return;
        onState?.("open");
        await readEvents(response, (event, data) => {
          if (signal.aborted) return;
          if (event === "fault") {
            failure = faultOf(data);
            return;
          }
          waitMs = RETRY_MS_MIN;
          onEvent(event, data);
        });
      } catch (error) {
        failure = error instanceof ApiError ? error : new ApiError(0, "", String(error));
      }
      if (signal.aborted) return;
      if (failure !== undefined && !isPassing(failure.status)) return onState?.("refused", failure);
      if (method === "POST") return failure === undefined ? onState?.("ended") : onState?.("refused", failure);
      onState?.("lost", failure);
      await pause(waitMs, signal);
      waitMs = Math.min(waitMs * 2, RETRY_MS_MAX);
    }
  }

  async #json<T>(method: string, path: string, body: unknown, options: AskOptions = {}): Promise<T> {
    const logins = this.#logins;
    const response = await this.#fetch(method, path, body, options);
    const value = (response.status === 204 ? null : await response.json()) as T;
    // A question about the session may be overtaken by a login, whose token is the newer one.
    if (method !== "GET" || logins === this.#logins) this.#keepToken(value);
    return value;
  }

  async #fetch(
    method: string,
    path: string,
    body: unknown,
    { signal, isUnattended = false, accept = "application/json" }: AskOptions & { readonly accept?: string } = {},
  ): Promise<Response> {
    const headers: Record<string, string> = { Accept: accept };
    if (isUnattended) headers["X-Petiole-Unattended"] = "1";
    if (method !== "GET" && this.#csrf !== "") headers["X-Petiole-CSRF"] = this.#csrf;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const init: RequestInit = { method, headers, credentials: "same-origin", cache: "no-store" };
    if (body !== undefined) init.body = JSON.stringify(body);
    if (signal !== undefined) init.signal = signal;
    const visitor = this.#visitor;
    for (;;) {
      const logins = this.#logins;
      let response: Response;
      try {
        response = await fetch(path, init);
      } catch (cause) {
        if (signal?.aborted === true) throw cause;
        throw new ApiError(0, "", "the device does not answer", [], cause);
      }
      if (response.ok) return response;
      const refusal = await refusalOf(response);
      if (refusal.code !== "WEB_NOT_LOGGED_IN") throw refusal;
      const isOld = logins !== this.#logins; // somebody has logged in while this was on its way
      if (!isOld) this.#onSignedOut?.();
      if (method !== "GET") throw refusal;
      if (!isOld && this.#waiting.size >= WAITING_MAX) throw refusal;
      if (!isOld) await this.#nextLogin(signal);
      signal?.throwIfAborted();
      if (visitor !== this.#visitor) throw refusal; // it is not theirs
    }
  }

  /** Over with `signal`, too. */
  #nextLogin(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const go = () => {
        this.#waiting.delete(go);
        signal?.removeEventListener("abort", go);
        resolve();
      };
      this.#waiting.add(go);
      signal?.addEventListener("abort", go);
    });
  }

  #keepToken(value: unknown): void {
    if (typeof value !== "object" || value === null || !("session" in value)) return;
    const { session } = value as { session: { user?: string; csrf?: string } | null };
    if (session !== null && (typeof session.csrf !== "string" || session.csrf === this.#csrf)) return;
    this.#csrf = session?.csrf ?? "";
    if (session === null) return;
    if (this.#user !== undefined && this.#user !== session.user) this.#visitor += 1;
    this.#user = session.user;
    this.#logins += 1;
    for (const go of this.#waiting) go();
  }
}

/** One page, one device: the browser gives every page that is open modules of its own. */
export const api = new Api();

/** A stream that has broken down: the answer had begun, so there is no status to tell it. */
function faultOf(data: unknown): ApiError {
  const { code = "", message = String(data) } = (typeof data === "object" && data !== null ? data : {}) as Partial<ApiError>;
  return new ApiError(0, code, message);
}

async function refusalOf(response: Response): Promise<ApiError> {
  try {
    const { error, faults } = (await response.json()) as {
      error: { code: string; message: string };
      faults?: readonly ApiFault[];
    };
    return new ApiError(response.status, error.code, error.message, faults);
  } catch (cause) {
    return new ApiError(response.status, "", `${response.status} ${response.statusText}`, [], cause);
  }
}

/** WHATWG HTML §9.2, as far as our device uses it. */
async function readEvents(response: Response, onEvent: (event: string, data: unknown) => void): Promise<void> {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop()!;
    for (const block of blocks) {
      let event = "message";
      const data: string[] = [];
      for (const line of block.split("\n")) {
        if (line.startsWith("event:")) event = line.slice(6).trim();
        else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
      }
      if (data.length > 0) onEvent(event, parsed(data.join("\n")));
    }
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text; // not every event carries JSON
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
