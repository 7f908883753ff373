// MQTT for devices of the network: open or not, and a login for each. The password is made here: nobody thinks up a good one on a roof.

import { useState } from "preact/hooks";
import { Button } from "../ui/button.tsx";
import { Card } from "../ui/card.tsx";
import { Field } from "../ui/field.tsx";
import { Input } from "../ui/input.tsx";
import { Notice } from "../ui/notice.tsx";
import { Switch } from "../ui/switch.tsx";
import { useText } from "../words/catalogue.ts";
import { useColon } from "../words/colon.ts";
import { listOf, mqttPlace, newPassword, objectOf } from "./answers.ts";
import { MqttLogin } from "./mqtt-login.tsx";
import type { StepProps } from "./wizard-view.tsx";
import { wizardWords } from "./words.ts";

export function MqttPart({ settings, answers, answer }: StepProps) {
  const colon = useColon();
  const text = useText(wizardWords);
  const place = mqttPlace(settings.document);
  const [user, setUser] = useState("");
  const [fault, setFault] = useState("");
  const { isMqttOpen, mqttUsers } = answers;
  const there = listOf(settings.document["accounts"])
    .flatMap((account) => listOf(objectOf(account)["users"]))
    .map((each) => objectOf(each)["user"])
    .filter((name) => typeof name === "string" && !mqttUsers.some((each) => each.user === name));
  const add = () => {
    const name = user.trim();
    if (!/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/.test(name)) return setFault(text("userWrong"));
    if (there.includes(name) || mqttUsers.some((each) => each.user === name)) return setFault(text("userExists"));
    setFault("");
    setUser("");
    answer({ isMqttOpen: true, mqttUsers: [...mqttUsers, { user: name, password: newPassword() }] });
  };
  return (
    <Card title={text("mqtt")}>
      <Switch
        checked={isMqttOpen}
        onChange={(isOpen) => answer({ isMqttOpen: isOpen })}
        label={text("mqttOpen", { port: place.slice(place.lastIndexOf(":") + 1) })}
      />
      {there.length > 0 && (
        <p>
          {text("logins")}
          {colon}
          {there.join(", ")}
        </p>
      )}
      <form
        class="wizard-add"
        onSubmit={(event) => {
          event.preventDefault();
          add();
        }}
      >
        <Field label={text("newUser")} help={text("newUserHelp")} fault={fault}>
          <Input value={user} onInput={setUser} />
        </Field>
        <Button type="submit" icon="add">
          {text("addUser")}
        </Button>
      </form>
      {mqttUsers.length > 0 && <Notice tone="look">{text("passwordOnce")}</Notice>}
      {mqttUsers.map((each) => (
        <div key={each.user} class="wizard-made">
          <MqttLogin {...each} place={place} />
          <Button
            kind="quiet"
            icon="remove"
            label={`${text("takeOut")}: ${each.user}`}
            onClick={() => answer({ mqttUsers: mqttUsers.filter((other) => other !== each) })}
          >
            {text("takeOut")}
          </Button>
        </div>
      ))}
    </Card>
  );
}
