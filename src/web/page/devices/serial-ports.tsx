// The serial ports of the settings, each with its device, its counts, and the way to see what comes.

import type { SerialReport } from "#status/report.ts";
import { visible } from "../messages/visible.ts";
import { Link } from "../shell/route.tsx";
import { hasRole, useSession } from "../shell/session.tsx";
import { Badge } from "../ui/badge.tsx";
import { Card } from "../ui/card.tsx";
import { Empty } from "../ui/empty.tsx";
import { Icon } from "../ui/icon.tsx";
import { useText } from "../words/catalogue.ts";
import { PortFacts } from "./port-facts.tsx";
import { portMood } from "./port-sentence.ts";
import { serialWords } from "./serial-words.ts";
import { words } from "./words.ts";

interface SerialPortsProps {
  readonly ports: readonly SerialReport[];
}

export function SerialPorts({ ports }: SerialPortsProps) {
  const text = useText(serialWords);
  const common = useText(words);
  const mayWatch = hasRole(useSession().role, "technician");
  if (ports.length === 0)
    return (
      <Empty
        icon="serial"
        title={text("none")}
        hint={text("none_hint")}
        actions={
          mayWatch && (
            <Link to="devices/plugged" class="button button-primary">
              <span>{common("plugged")}</span>
            </Link>
          )
        }
      />
    );
  return (
    <div class="dev-pane">
      {mayWatch && (
        <div class="actions">
          <Link to="devices/plugged" class="button button-plain">
            <Icon name="search" />
            <span>{common("plugged")}</span>
          </Link>
        </div>
      )}
      <div class="dev-ports">
        {ports.map((port) => {
          const { tone, key } = portMood(port);
          return (
            <Card key={port.name} title={<bdi>{visible(port.name)}</bdi>} actions={<Badge tone={tone}>{text(key)}</Badge>}>
              <PortFacts port={port} />
              {mayWatch && (
                <div class="actions">
                  <Link
                    to={`devices/serial/${encodeURIComponent(port.name)}`}
                    class="button button-plain"
                    aria-label={`${text("watch")}: ${visible(port.name)}`}
                  >
                    <Icon name="show" />
                    <span>{text("watch")}</span>
                  </Link>
                </div>
              )}
            </Card>
          );
        })}
      </div>
    </div>
  );
}
