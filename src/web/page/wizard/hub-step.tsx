// Where the readings go: addresses, login, certificate authority, and a test by the doctor before anything is saved.

import { Card } from "../ui/card.tsx";
import { Field } from "../ui/field.tsx";
import { Input } from "../ui/input.tsx";
import { Notice } from "../ui/notice.tsx";
import { Select } from "../ui/select.tsx";
import { Switch } from "../ui/switch.tsx";
import { Textarea } from "../ui/textarea.tsx";
import { useText } from "../words/catalogue.ts";
import { type HubAnswers, LOGINS, listOf, objectOf, remoteOf } from "./answers.ts";
import { HubTest } from "./hub-test.tsx";
import { SecretField } from "./secret-field.tsx";
import type { StepProps } from "./wizard-view.tsx";
import { wizardWords } from "./words.ts";

export function HubStep({ settings, answers, answer }: StepProps) {
  const text = useText(wizardWords);
  const { hub } = answers;
  const change = (part: Partial<HubAnswers>) => answer({ hub: { ...hub, ...part } });
  const before = objectOf(listOf(objectOf(settings.document["leafnodes"])["remotes"])[0]);
  const remote = remoteOf(hub, before);
  return (
    <>
      <Card title={text("step_hub")} lead={text("hubLead")}>
        <Field label={text("urls")} help={text("urlsHelp")}>
          <Textarea
            value={hub.urls}
            onInput={(urls) => change({ urls })}
            rows={2}
            isMono
            placeholder="tls://hub.example.com:7422"
          />
        </Field>
        <Field label={text("login")}>
          <Select
            value={hub.login}
            onChange={(login) => change({ login })}
            options={LOGINS.map((value) => ({ value, label: text(`login_${value}`) }))}
          />
        </Field>
        {hub.login === "password" && (
          <div class="wizard-pair">
            <Field label={text("user")}>
              <Input value={hub.user} onInput={(user) => change({ user })} />
            </Field>
            <Field label={text("password")}>
              <Input type="password" value={hub.password} onInput={(password) => change({ password })} />
            </Field>
          </div>
        )}
        {hub.login === "credentials" && (
          <SecretField
            label={text("credentials")}
            name="hub.creds"
            accept=".creds,.txt"
            path={hub.credentials}
            onStored={(credentials) => change({ credentials })}
          />
        )}
        <details class="details" open={hub.ca !== "" || hub.isTlsFirst}>
          <summary>{text("more")}</summary>
          <div class="wizard-more">
            <SecretField
              label={text("ca")}
              name="hub-ca.pem"
              accept=".pem,.crt,.cer"
              path={hub.ca}
              onStored={(ca) => change({ ca })}
              isOptional
            />
            <Switch checked={hub.isTlsFirst} onChange={(isTlsFirst) => change({ isTlsFirst })} label={text("tlsFirst")} />
          </div>
        </details>
        {remote === undefined && <Notice tone="idle">{text("noHub")}</Notice>}
      </Card>
      {remote !== undefined && <HubTest remote={remote} />}
    </>
  );
}
