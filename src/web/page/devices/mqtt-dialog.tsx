// Everything about one MQTT client, and the ways to be rid of it: disconnect, or forget its session with all that waits for it.

import { useState } from "preact/hooks";
import { Raw } from "../messages/raw.tsx";
import { visible } from "../messages/visible.ts";
import { type ApiError, api } from "../shell/api.ts";
import { hasRole, useSession } from "../shell/session.tsx";
import { Button } from "../ui/button.tsx";
import { ConfirmDialog } from "../ui/confirm-dialog.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { Facts } from "../ui/facts.tsx";
import { Notice } from "../ui/notice.tsx";
import { useToast } from "../ui/toast.tsx";
import { useText } from "../words/catalogue.ts";
import { useFormat } from "../words/format.ts";
import type { MqttClient } from "./clients.ts";
import { encoded } from "./encoded.ts";
import { words } from "./words.ts";

interface MqttDialogProps {
  readonly client: MqttClient;
  readonly onClose: () => void;
  readonly onChange: () => void;
}

export function MqttDialog({ client, onClose, onChange }: MqttDialogProps) {
  const text = useText(words);
  const format = useFormat();
  const toast = useToast();
  const mayAct = hasRole(useSession().role, "technician");
  const [isForgetting, setForgetting] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError>();
  const name = visible(client.client_id);
  const path = `/api/clients/mqtt/${encoded(client.client_id)}`;
  const done = (key: "disconnected" | "forgotten") => {
    toast(text(key, { name }));
    onChange();
    onClose();
  };
  const disconnect = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await api.del(path);
      done("disconnected");
    } catch (cause) {
      setError(cause as ApiError);
    }
    setBusy(false);
  };
  if (isForgetting)
    return (
      <ConfirmDialog
        title={text("forget")}
        confirm={text("forget")}
        isDanger
        onConfirm={async () => {
          await api.del(`${path}?session=1`);
          done("forgotten");
        }}
        onCancel={() => setForgetting(false)}
      >
        <p>
          <Raw text={client.client_id} isMono />
        </p>
        <p>{text("forget_question", { n: client.queue })}</p>
      </ConfirmDialog>
    );
  return (
    <Dialog
      title={name}
      onClose={onClose}
      actions={
        mayAct && (
          <>
            {client.session_kept && (
              <Button kind="danger" icon="remove" onClick={() => setForgetting(true)}>
                {text("forget")}
              </Button>
            )}
            {client.connected && (
              <Button icon="close" busy={busy} onClick={disconnect}>
                {text("disconnect")}
              </Button>
            )}
          </>
        )
      }
    >
      {error !== undefined && (
        <Notice tone="bad" isAlert>
          <span lang="en">{error.message}</span>
        </Notice>
      )}
      <Facts
        items={[
          [text("state"), text(client.connected ? "connected" : "away")],
          [text("user"), client.user === "" ? text("no_user") : <Raw key="user" text={client.user} />],
          [text("account"), visible(client.account)],
          [text("address"), client.address === null ? "–" : <Raw key="address" text={client.address} isMono />],
          [text("protocol"), client.version === null ? "–" : `MQTT ${client.version}`],
          [text("encryption"), text(client.tls ? "yes_tls" : "no_tls")],
          [text("since"), client.since === null || !client.connected ? "–" : format.since(client.since)],
          [text("last_seen"), client.last_seen === null ? "–" : text("ago", { time: format.since(client.last_seen) })],
          [text("rate"), client.rate_in === null ? "–" : format.rate(client.rate_in)],
          [text("messages_in"), format.count(client.messages_in)],
          [text("messages_out"), format.count(client.messages_out)],
          [text("unanswered"), format.count(client.inflight)],
          [text("queue"), `${format.count(client.queue)} (${format.bytes(client.queue_bytes)})`],
          [text("subscriptions"), format.count(client.subscriptions)],
          [text("session"), text(client.session_kept ? "session_kept" : "session_lost")],
        ]}
      />
      {mayAct && client.connected && <p class="dev-soft">{text("disconnect_hint")}</p>}
    </Dialog>
  );
}
