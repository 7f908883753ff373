// Restart, the board where its supervisor may be asked, and the way back to what left the factory.

import { useState } from "preact/hooks";
import { api } from "../shell/api.ts";
import { useStatus } from "../shell/live.tsx";
import { hasRole, useSession } from "../shell/session.tsx";
import { Card } from "../ui/card.tsx";
import { Facts } from "../ui/facts.tsx";
import { Field } from "../ui/field.tsx";
import { Input } from "../ui/input.tsx";
import { Notice } from "../ui/notice.tsx";
import { useToast } from "../ui/toast.tsx";
import { useText } from "../words/catalogue.ts";
import { useFormat } from "../words/format.ts";
import { Deed } from "./deed.tsx";
import { deviceWords } from "./device-words.ts";
import { Loading } from "./loading.tsx";
import { useLoaded } from "./use-loaded.ts";

interface Supervisor {
  readonly status: string;
  readonly update_pending: boolean;
  readonly update_downloaded: boolean;
  readonly download_percent: number | null;
  readonly fault: string | null;
}

export function DeviceTab() {
  const text = useText(deviceWords);
  const toast = useToast();
  const { role } = useSession();
  const isOwner = hasRole(role, "owner");
  const restart = async () => {
    await api.post("/api/restart");
    toast(text("asked"));
  };
  return (
    <>
      <Card title={text("restart")} lead={text("restart_text")}>
        <div class="actions">
          <Deed title={text("restart")} icon="refresh" confirm={text("restart_do")} run={restart}>
            <p>{text("restart_text")}</p>
          </Deed>
        </div>
      </Card>
      <Board isOwner={isOwner} />
      <Reset isOwner={isOwner} />
    </>
  );
}

function Board({ isOwner }: { readonly isOwner: boolean }) {
  const text = useText(deviceWords);
  const format = useFormat();
  const toast = useToast();
  const [name, setName] = useState("");
  const loaded = useLoaded(() => api.get<{ readonly supervisor: Supervisor | null }>("/api/supervisor"));
  if (loaded.value === undefined) return <Loading loaded={loaded} />;
  const { supervisor } = loaded.value;
  if (supervisor === null) {
    return (
      <Card title={text("board")}>
        <p>{text("no_supervisor")}</p>
      </Card>
    );
  }
  const ask = async (what: string, body?: unknown) => {
    await api.post(`/api/supervisor/${what}`, body);
    toast(text("asked"));
  };
  const update = supervisor.update_downloaded
    ? text("update_waits")
    : supervisor.download_percent !== null
      ? text("update_loads", { percent: format.percent(supervisor.download_percent / 100) })
      : text(supervisor.update_pending ? "update_waits" : "update_none");
  return (
    <Card title={text("board")}>
      {supervisor.fault !== null && <Notice tone="look" title={supervisor.fault} />}
      <Facts
        items={[
          [text("supervisor_status"), supervisor.status],
          [text("update"), update],
        ]}
      />
      {isOwner ? (
        <>
          <div class="actions">
            <Deed title={text("reboot")} icon="refresh" confirm={text("reboot")} run={() => ask("reboot")}>
              <p>{text("reboot_text")}</p>
            </Deed>
            <Deed title={text("shutdown")} icon="power" confirm={text("shutdown")} isDanger run={() => ask("shutdown")}>
              <p>{text("shutdown_text")}</p>
            </Deed>
          </div>
          <div class="form sys-narrow">
            <Field label={text("hostname")} help={text("hostname_help")}>
              <Input value={name} onInput={setName} />
            </Field>
            <Deed
              title={text("rename")}
              icon="edit"
              confirm={text("rename")}
              isDisabled={!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)}
              run={() => ask("hostname", { hostname: name })}
            >
              <p>
                <strong>{name}</strong>
              </p>
            </Deed>
          </div>
        </>
      ) : (
        <p>{text("owner_only")}</p>
      )}
    </Card>
  );
}

function Reset({ isOwner }: { readonly isOwner: boolean }) {
  const text = useText(deviceWords);
  const toast = useToast();
  const { server_name: name, remotes } = useStatus();
  const waiting = remotes.reduce((sum, { outbox }) => sum + outbox.depth, 0);
  const erases = (
    <>
      <p>{text("reset_erases")}</p>
      <ul>
        <li>{text("reset_outbox", { n: waiting })}</li>
        <li>{text("reset_keys")}</li>
        <li>{text("reset_settings")}</li>
        <li>{text("reset_mqtt")}</li>
        <li>{text("reset_users")}</li>
      </ul>
      <p>{text("reset_after")}</p>
    </>
  );
  const reset = async (password: string) => {
    await api.post("/api/reset", { password });
    toast(text("reset_asked"));
  };
  return (
    <Card title={text("reset")} lead={text("reset_lead")}>
      {erases}
      {isOwner ? (
        <div class="actions">
          <Deed title={text("reset")} icon="remove" confirm={text("reset_do")} isDanger asksPassword asksWord={name} run={reset}>
            {erases}
          </Deed>
        </div>
      ) : (
        <p>{text("owner_only")}</p>
      )}
    </Card>
  );
}
