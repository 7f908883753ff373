// Who is behind the port: a leaf port that does TLS when we expect it, or something else? hub/greeting.ts finds out.

import { isFault } from "#base/errors.ts";
import { LEAF_CLOSED, LEAF_NOT_NATS } from "#uplink/errors.ts";
import { assertLeafPort } from "#uplink/hub-info.ts";
import { DOCTOR_HTTP_THERE, DOCTOR_INFO_FIRST, DOCTOR_SAYS_NOTHING, DOCTOR_TLS_FIRST } from "../errors.ts";
import { troubleOf } from "../fault-words.ts";
import { brief, broken, type Draft, fine, skipped, type Trouble } from "../finding.ts";
import { eachHub } from "../hub/each-hub.ts";
import { type Greeting, greetingOf } from "../hub/greeting.ts";
import type { HubCase } from "../hub/hub-case.ts";
import type { Scene, Step } from "../scene.ts";
import { fullTrouble } from "./full-hub.ts";

const WANTED = "wanted the port of the hub's leafnodes block (usually 7422): check host and port";

export const greetingStep: Step = {
  id: "greeting",
  title: "what answers at the hubs' ports",
  run: (scene, signal) => eachHub(scene, (hub) => greet(hub, scene, signal)),
};

async function greet(hub: HubCase, { probe }: Scene, signal: AbortSignal): Promise<readonly Draft[]> {
  if (hub.choice.url.isWebSocket) return [skipped(hub, "a WebSocket port says nothing before it is asked: see login")];
  let greeting: Greeting;
  try {
    greeting = await greetingOf(hub, probe, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!isFault(error)) throw error;
    hub.endedAt = "greeting";
    return [broken(hub, troubleOf(error))];
  }
  const verdict = judge(greeting, hub);
  if (verdict.verdict === "broken") hub.endedAt = "greeting";
  if ("info" in greeting) hub.info = greeting.info;
  return [verdict];
}

/** Pure. */
export function judge(greeting: Greeting, hub: Pick<HubCase, "target" | "ref" | "tlsWay" | "choice">): Draft {
  const { target, tlsWay } = hub;
  const no = (trouble: Trouble) => broken(hub, trouble);
  switch (greeting.speaks) {
    case "info":
      return ofInfo(greeting, hub);
    case "tls":
      return ofTls(greeting, hub);
    case "http":
      return no({
        code: DOCTOR_HTTP_THERE,
        cause: `a web server answers at ${target} (${brief(greeting.status)}), not a hub's leaf port`,
        remedy: `${WANTED}; for a hub's WebSocket port use ws:// or wss://`,
      });
    case "other":
      return no({ code: LEAF_NOT_NATS, cause: `${target} does not speak NATS: found "${greeting.found}"`, remedy: WANTED });
    case "error":
      return no(
        fullTrouble(greeting.text, target) ?? {
          code: LEAF_NOT_NATS,
          cause: `hub ${target} says no more than: ${brief(greeting.text)}`,
          remedy: "look into the hub's log",
        },
      );
    case "ended":
      return no({
        code: LEAF_CLOSED,
        cause: `${target} takes the connection and closes it without a word`,
        remedy:
          "something in between (a firewall, a port forwarding whose target is gone) or the hub itself turns us away: look into the hub's log",
      });
    case "silence": {
      const tried = tlsWay === "if-asked" ? "TLS, HTTP" : "INFO, TLS, HTTP";
      return no({
        code: DOCTOR_SAYS_NOTHING,
        cause: `${target} takes the connection but says nothing, whatever it is asked (${tried})`,
        remedy: "check host and port; if they are right, the hub hangs, or a firewall lets connections in but no data through",
      });
    }
  }
}

function ofInfo({ info }: Greeting & { readonly speaks: "info" }, hub: Pick<HubCase, "target" | "ref" | "tlsWay">): Draft {
  const { target, tlsWay } = hub;
  const facts = {
    hub: brief(info.name),
    version: brief(info.version),
    cluster: info.cluster === null ? null : brief(info.cluster),
    tls: info.tlsRequired,
    speaks: "info",
  };
  const wrong = wrongPort(info, target);
  if (wrong !== undefined) return broken(hub, wrong, facts);
  if (tlsWay === "first")
    return broken(
      hub,
      {
        code: DOCTOR_INFO_FIRST,
        cause: `hub ${target} says INFO in clear before TLS, but tls.handshake_first is set here`,
        remedy: "set tls.handshake_first to false, or set handshake_first in the hub's leafnodes.tls block",
      },
      facts,
    );
  return fine(
    hub,
    `${brief(info.name)} answers, a leaf port of nats-server ${brief(info.version)}${info.tlsRequired ? ", TLS after INFO" : ""}`,
    facts,
  );
}

function ofTls(
  { info, isHttps }: Greeting & { readonly speaks: "tls" },
  hub: Pick<HubCase, "target" | "ref" | "tlsWay" | "choice">,
): Draft {
  const { target, tlsWay } = hub;
  const facts = {
    hub: info === null ? null : brief(info.name),
    version: info === null ? null : brief(info.version),
    speaks: isHttps ? "https" : "tls",
  };
  if (isHttps)
    return broken(
      hub,
      {
        code: DOCTOR_HTTP_THERE,
        cause: `a web server answers at ${target} (HTTPS), not a hub's leaf port`,
        remedy: `${WANTED}; for a hub's WebSocket port use wss://`,
      },
      facts,
    );
  const wrong = info === null ? undefined : wrongPort(info, target);
  if (wrong !== undefined) return broken(hub, wrong, facts);
  if (tlsWay === "first")
    return fine(
      hub,
      `${info === null ? "it" : `${brief(info.name)}, a leaf port of nats-server ${brief(info.version)},`} does TLS first`,
      facts,
    );
  return broken(
    hub,
    {
      code: DOCTOR_TLS_FIRST,
      cause: `hub ${target} says nothing before TLS: it does TLS first`,
      remedy: `set tls.handshake_first to true${tlsWay === "if-asked" ? ", and write tls:// in the URL" : ""}`,
    },
    facts,
  );
}

function wrongPort(info: Parameters<typeof assertLeafPort>[0], target: string): Trouble | undefined {
  try {
    assertLeafPort(info, target);
    return undefined;
  } catch (error) {
    return troubleOf(error);
  }
}
