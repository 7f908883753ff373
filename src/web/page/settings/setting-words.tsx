// A setting's name, its faults in words, and what stands below it: the default and the way back to it.

import { Icon } from "../ui/icon.tsx";
import { type Text, useText } from "../words/catalogue.ts";
import { useColon } from "../words/colon.ts";
import { useForm } from "./form-context.ts";
import { formatPath, isList, isObject, isSame, type Json, type Path } from "./json.ts";
import type { PlacedFault } from "./place-faults.ts";
import type { Field } from "./shape.ts";
import { words } from "./words.ts";

/** How names that are no plain words are written. */
const NAMES: Readonly<Record<string, string>> = {
  ca: "CA",
  id: "ID",
  mqtt: "MQTT",
  nats: "NATS",
  nkey: "NKey",
  qos: "QoS",
  rtscts: "RTS/CTS",
  rtt: "RTT",
  spki: "SPKI",
  ssh: "SSH",
  tls: "TLS",
  url: "URL",
  urls: "URLs",
  usb: "USB",
  websocket: "WebSocket",
};

/** `max_connections_per_address` → Max connections per address */
export function nameOf(key: string): string {
  const bare = key
    .split("_")
    .map((word) => NAMES[word] ?? word)
    .join(" ");
  return bare.charAt(0).toUpperCase() + bare.slice(1);
}

export function SettingName({ path, field }: { readonly path: Path; readonly field: Field }) {
  const text = useText(words);
  const form = useForm();
  return (
    <>
      {nameOf(field.key)}
      {field.isRequired && <span class="set-mark"> · {text("required")}</span>}
      {form.isChanged(path) && <span class="set-mark set-mark-changed"> · {text("changed")}</span>}
    </>
  );
}

export function useFaultWords(): (fault: PlacedFault) => string {
  const text = useText(words);
  return ({ kind, path, wanted, found, remedy, at }) => {
    const elsewhere = path !== at && kind !== "unknown" ? `${path}: ` : "";
    const said = text(`fault_${kind}`, { path, wanted, found });
    return `${elsewhere}${said}${remedy === "" ? "" : `: ${remedy}`}`;
  };
}

/** For whatever has no field of its own around it. */
export function FaultLines({ path }: { readonly path: Path }) {
  const form = useForm();
  const say = useFaultWords();
  return (
    <>
      {form.faultsAt(path).map((fault) => (
        <p key={fault.path} class="field-fault" role="alert">
          <Icon name="bad" /> {say(fault)}
        </p>
      ))}
    </>
  );
}

const SECRET = "***";

export function DefaultLine({ path, field }: { readonly path: Path; readonly field: Field }) {
  const text = useText(words);
  const colon = useColon();
  const form = useForm();
  const { fallback } = field;
  // Where nothing is the default, an empty field says it; a secret cannot be emptied.
  if (fallback === undefined || isObject(fallback) || (fallback === null && form.value(path) !== SECRET)) return null;
  const isReset = form.isWritten(path) && !isSame(form.value(path), fallback) && form.lockOf(path) === undefined;
  const isSecret = fallback === null;
  const way = text(isSecret ? "secret_remove" : "to_default");
  return (
    <p class="set-default">
      {!isSecret && (
        <span>
          {text("default")}
          {colon}
          {shownDefault(fallback, text)}
        </span>
      )}
      {isReset && (
        <button type="button" class="set-reset" aria-label={`${way}: ${formatPath(path)}`} onClick={() => form.reset(path)}>
          <Icon name={isSecret ? "remove" : "back"} /> {way}
        </button>
      )}
    </p>
  );
}

function shownDefault(value: Json, text: Text<typeof words>): string {
  if (value === null) return text("off");
  if (typeof value === "boolean") return text(value ? "on" : "off");
  if (isList(value) && value.length === 0) return text("empty_list");
  if (isList(value) && value.every((each) => typeof each === "string" || typeof each === "number")) return value.join(", ");
  return typeof value === "string" ? value : JSON.stringify(value);
}
