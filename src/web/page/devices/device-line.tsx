// One device that is plugged in: what it calls itself, how it is known again, and who has it.

import { Raw } from "../messages/raw.tsx";
import { visible } from "../messages/visible.ts";
import { Badge } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { useText } from "../words/catalogue.ts";
import { useColon } from "../words/colon.ts";
import type { PluggedDevice } from "./plugged-device.ts";
import { pluggedWords } from "./plugged-words.ts";

interface DeviceLineProps {
  readonly device: PluggedDevice;
  readonly onGuess: (device: PluggedDevice) => void;
}

export function DeviceLine({ device, onGuess }: DeviceLineProps) {
  const colon = useColon();
  const text = useText(pluggedWords);
  const { port, holder } = device;
  return (
    <li>
      <div>
        <b>{device.product === null ? text("unnamed") : <Raw text={device.product} />}</b>
        <br />
        <Raw text={device.path} isMono />
        {device.identity !== device.path && (
          <>
            <br />
            <span class="dev-soft">
              {text("identity")}
              {colon}
              <Raw text={device.identity} isMono />
            </span>
          </>
        )}
      </div>
      <Badge tone={port !== null ? "good" : holder !== null ? "look" : "idle"}>
        {port !== null
          ? text("serves", { port: visible(port) })
          : holder !== null
            ? text("held", { who: visible(holder) })
            : text("free")}
      </Badge>
      <div class="actions dev-wide">
        <Button icon="search" label={`${text("guess")}: ${visible(device.path)}`} onClick={() => onGuess(device)}>
          {text("guess")}
        </Button>
      </div>
    </li>
  );
}
