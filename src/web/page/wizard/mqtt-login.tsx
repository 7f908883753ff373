// A login for one device, to be scanned, copied or noted.

import { Copy } from "../ui/copy.tsx";
import { Facts } from "../ui/facts.tsx";
import { Qr } from "../ui/qr.tsx";
import { useText } from "../words/catalogue.ts";
import { wizardWords } from "./words.ts";

interface MqttLoginProps {
  readonly user: string;
  readonly password: string;
  /** "192.0.2.7:1883" */
  readonly place: string;
}

export function MqttLogin({ user, password, place }: MqttLoginProps) {
  const text = useText(wizardWords);
  const url = `mqtt://${encodeURIComponent(user)}:${encodeURIComponent(password)}@${place}`;
  return (
    <div class="wizard-login">
      <Qr text={url} label={text("qrOf", { user })} />
      <div>
        <Facts
          items={[
            [text("address"), <code key="a">{place}</code>],
            [text("user"), <code key="u">{user}</code>],
            [text("password"), <code key="p">{password}</code>],
          ]}
        />
        <div class="actions no-print">
          <Copy text={url} label={text("qrOf", { user })} />
        </div>
      </div>
    </div>
  );
}
