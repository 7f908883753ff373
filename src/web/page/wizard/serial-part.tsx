// "Plug it in now": what is there and what appears, live; a click finds out what it says and proposes how to read it.

import { useEffect, useState } from "preact/hooks";
import { type ApiError, api } from "../shell/api.ts";
import { refusalWords } from "../shell/refusal-words.ts";
import { shellWords } from "../shell/words.ts";
import { Badge } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { Card } from "../ui/card.tsx";
import { Notice } from "../ui/notice.tsx";
import { useText } from "../words/catalogue.ts";
import type { Document } from "./answers.ts";
import { SerialGuess } from "./serial-guess.tsx";
import type { StepProps } from "./wizard-view.tsx";
import { wizardWords } from "./words.ts";

export interface SerialDevice {
  readonly path: string;
  readonly identity: string;
  readonly product: string | null;
  readonly port: string | null;
}

export function SerialPart({ answers, answer }: StepProps) {
  const text = useText(wizardWords);
  const shellText = useText(shellWords);
  /** undefined: the device has not said yet. */
  const [devices, setDevices] = useState<readonly SerialDevice[]>();
  const [fresh, setFresh] = useState<ReadonlySet<string>>(new Set());
  const [asked, setAsked] = useState("");
  const [fault, setFault] = useState("");
  const [refusal, setRefusal] = useState<ApiError>();
  useEffect(() => {
    const stream = api.stream(
      "/api/ports/events",
      (event, data) => {
        if (event === "ports") {
          const listing = data as { readonly devices: readonly SerialDevice[]; readonly fault: string | null };
          setDevices(listing.devices);
          setFault(listing.fault ?? "");
        } else if (event === "added") {
          const { device } = data as { readonly device: SerialDevice };
          setDevices((now = []) => [device, ...now.filter(({ path }) => path !== device.path)]);
          setFresh((now) => new Set([...now, device.path]));
        } else if (event === "removed") {
          const { path } = data as { readonly path: string };
          setDevices((now = []) => now.filter((device) => device.path !== path));
        }
      },
      { onState: (state, error) => setRefusal(state === "refused" ? error : undefined) },
    );
    return () => stream.close();
  }, []);
  const use = (block: Document) => {
    const ports = answers.ports.filter(({ name }) => name !== block["name"]);
    answer({ ports: [...ports, block] });
    setAsked("");
  };
  return (
    <Card title={text("serial")} lead={text("plugIn")}>
      {refusal !== undefined && <Notice tone="look">{refusalWords(refusal, shellText)}</Notice>}
      {fault !== "" && <Notice tone="look">{fault}</Notice>}
      <div role="status">
        {devices === undefined ? null : devices.length === 0 ? (
          <p>{text("noPorts")}</p>
        ) : (
          <ul class="wizard-ports">
            {devices.map((device) => (
              <li key={device.path}>
                <div class="wizard-port">
                  <p>
                    <strong>{device.product ?? device.path}</strong>
                    <br />
                    <code>{device.path}</code>
                  </p>
                  {fresh.has(device.path) && <Badge tone="good">{text("justPlugged")}</Badge>}
                  {device.port !== null ? (
                    <Badge tone="idle">{text("inUse", { port: device.port })}</Badge>
                  ) : (
                    <Button icon="search" disabled={asked !== ""} onClick={() => setAsked(device.path)}>
                      {text("listenTo")}
                    </Button>
                  )}
                </div>
                {asked === device.path && <SerialGuess path={device.path} onUse={use} onClose={() => setAsked("")} />}
              </li>
            ))}
          </ul>
        )}
      </div>
      {answers.ports.map((port) => (
        <div key={String(port["name"])} class="wizard-port">
          <p>
            <Badge tone="good">{text("added")}</Badge> <strong>{String(port["name"])}</strong>
          </p>
          <Button
            icon="remove"
            label={`${text("takeOut")}: ${String(port["name"])}`}
            onClick={() => answer({ ports: answers.ports.filter((other) => other !== port) })}
          >
            {text("takeOut")}
          </Button>
        </div>
      ))}
    </Card>
  );
}
