// What is wrong, worst first, each with what to do: the verdict of status/health.ts in the reader's language. Whatever this page has no
// words for is shown in the device's own.

import type { LinkReport, OutboxReport, RemoteReport, SerialReport, StatusReport } from "#status/report.ts";
import { visible } from "../messages/visible.ts";
import type { Text } from "../words/catalogue.ts";
import { lossSentence, summedLosses } from "./ledger.ts";
import { phaseOf } from "./link-sentence.ts";
import type { linkFaultWords } from "./link-words.ts";
import type { ledgerWords } from "./outbox-words.ts";
import type { troubleWords } from "./trouble-words.ts";

export interface Trouble {
  readonly tone: "bad" | "look";
  readonly text: string;
  readonly remedy: string;
  /** What the device itself says of it, in English; null: nothing more. */
  readonly detail: string | null;
}

export interface TroubleTexts {
  readonly trouble: Text<typeof troubleWords>;
  readonly fault: Text<typeof linkFaultWords>;
  readonly ledger: Text<typeof ledgerWords>;
  /** The words there are for this key, if there are any. */
  readonly hasFault: (key: string) => key is keyof typeof linkFaultWords;
  readonly hasTrouble: (key: string) => key is keyof typeof troubleWords;
}

/** How long a loss is a reason to look. */
const LOSS_MATTERS_MS = 24 * 3_600_000;
const SUSPENDED_MAX = 3;
const LOSSES_TO_MEND = new Set(["displaced", "refused", "corrupted"]);

export function troublesOf(status: StatusReport, texts: TroubleTexts): readonly Trouble[] {
  const now = Date.parse(status.now);
  const troubles = [
    ...status.remotes.flatMap((remote) => ofRemote(remote, texts, now)),
    ...twins(status.remotes, texts),
    ...ofBox(status, texts),
    ...status.serial.flatMap((port) => ofPort(port, texts)),
  ];
  return [...troubles.filter(({ tone }) => tone === "bad"), ...troubles.filter(({ tone }) => tone === "look")];
}

function ofRemote({ name, link, outbox }: RemoteReport, texts: TroubleTexts, now: number): Trouble[] {
  const remote = visible(name);
  const { trouble } = texts;
  const isReady = link.state === "ready";
  const list: Trouble[] = [];
  if (outbox.fault !== null) {
    const key = isReady ? "outbox_fault" : "outbox_stuck";
    list.push({
      tone: isReady ? "look" : "bad",
      text: trouble(key, { remote }),
      remedy: trouble(`${key}_remedy`),
      detail: outbox.fault,
    });
  }
  if (!isReady) list.push(noLink(remote, link, texts));
  if (outbox.full !== null)
    list.push({
      tone: "look",
      text: trouble("outbox_full", { remote }),
      remedy: trouble("outbox_full_remedy"),
      detail: outbox.full,
    });
  if (outbox.ledger_fault !== null)
    list.push({
      tone: "look",
      text: trouble("ledger_fault", { remote }),
      remedy: trouble("outbox_fault_remedy"),
      detail: outbox.ledger_fault,
    });
  if (isReady) list.push(...waiting(remote, outbox, trouble));
  list.push(...losses(remote, outbox, texts, now));
  const { damaged } = outbox.recovery;
  if (damaged > 0 && !outbox.losses.some(({ reason }) => reason === "corrupted"))
    list.push({
      tone: "look",
      text: trouble("damaged", { remote, n: damaged }),
      remedy: trouble("card_remedy"),
      detail: null,
    });
  return list;
}

function noLink(remote: string, link: LinkReport, { trouble, fault, hasFault }: TroubleTexts): Trouble {
  if (link.last_error === null && phaseOf(link.state) === "trying")
    return { tone: "look", text: trouble("connecting", { remote }), remedy: trouble("connecting_remedy"), detail: null };
  const code = link.last_error?.code ?? "other";
  const key = hasFault(code) && hasFault(`${code}_remedy`) ? code : "other";
  return {
    tone: "look",
    text: trouble("no_link", { remote, cause: fault(key) }),
    remedy: fault(`${key}_remedy` as keyof typeof linkFaultWords),
    detail: link.last_error?.message ?? null,
  };
}

/** What waits though there is a link; without one nobody knows. */
function waiting(remote: string, outbox: OutboxReport, trouble: TroubleTexts["trouble"]): Trouble[] {
  const list: Trouble[] = outbox.suspended.slice(0, SUSPENDED_MAX).map(({ subject, why }) => ({
    tone: "look",
    text: trouble("suspended", { remote, subject: visible(subject) }),
    remedy: trouble("suspended_remedy"),
    detail: why,
  }));
  if (outbox.held > 0)
    list.push({
      tone: "look",
      text: trouble("held", { remote, n: outbox.held }),
      remedy: trouble("held_remedy"),
      detail: null,
    });
  return list;
}

function losses(remote: string, { losses: all }: OutboxReport, { trouble, ledger }: TroubleTexts, now: number): Trouble[] {
  return summedLosses(all)
    .filter(({ reason, last_time }) => LOSSES_TO_MEND.has(reason) && Math.abs(now - Date.parse(last_time)) <= LOSS_MATTERS_MS)
    .map(({ reason, messages }) => ({
      tone: "look",
      text: trouble("loss", { remote, what: lossSentence(reason, messages, ledger) }),
      remedy: trouble(reason === "corrupted" ? "card_remedy" : reason === "refused" ? "refused_remedy" : "displaced_remedy"),
      detail: null,
    }));
}

function twins(remotes: readonly RemoteReport[], { trouble }: TroubleTexts): Trouble[] {
  return remotes.flatMap((remote, index) => {
    const twin = remotes
      .slice(0, index)
      .find(({ account, link }) => account === remote.account && link.hub_id !== null && link.hub_id === remote.link.hub_id);
    if (twin === undefined) return [];
    const text = trouble("twins", { one: visible(twin.name), other: visible(remote.name) });
    return [{ tone: "look", text, remedy: trouble("twins_remedy"), detail: null }];
  });
}

function ofBox({ clock, store, packet_filter: filter, host }: StatusReport, { trouble }: TroubleTexts): Trouble[] {
  const list: Trouble[] = [];
  const add = (key: keyof typeof troubleWords, remedy: keyof typeof troubleWords, detail: string | null, values = {}) =>
    list.push({ tone: "look", text: trouble(key, values), remedy: trouble(remedy), detail });
  if (clock !== undefined && clock.fault !== null) add("clock", "clock_remedy", clock.fault);
  if (store !== undefined && store.fault !== null) add("store_fault", "outbox_fault_remedy", store.fault);
  else if (store !== undefined && store.full !== null) add("store_full", "store_full_remedy", null);
  if (store !== undefined && store.damaged > 0) add("store_damaged", "card_remedy", null, { n: store.damaged });
  if (filter?.state === "failing") add("filter_failing", "filter_failing_remedy", filter.because);
  else for (const what of filter?.lacks ?? []) add("filter_lacks", "filter_lacks_remedy", null, { what });
  if (host !== undefined && host.hanging.length > 0)
    add("hanging", "hanging_remedy", null, { what: visible(host.hanging.join(", ")) });
  return list;
}

function ofPort(port: SerialReport, { trouble, hasTrouble }: TroubleTexts): Trouble[] {
  const name = visible(port.name);
  const { cause, code, degraded } = port;
  if (cause !== null || degraded !== null) {
    const known = cause !== null && code !== null && hasTrouble(code) && hasTrouble(`${code}_remedy`) ? code : "port_trouble";
    const remedy = `${known}_remedy` as keyof typeof troubleWords;
    return [{ tone: "look", text: trouble(known, { port: name }), remedy: trouble(remedy), detail: cause ?? degraded }];
  }
  if (!port.is_silent) return [];
  return [{ tone: "look", text: trouble("port_silent", { port: name }), remedy: trouble("port_silent_remedy"), detail: null }];
}
