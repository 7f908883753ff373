// Credentials, keys and certificates on the device: what they are, how long they are good, and whether anything names them.

import { useState } from "preact/hooks";
import { api } from "../shell/api.ts";
import { useStatus } from "../shell/live.tsx";
import { Badge } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { ConfirmDialog } from "../ui/confirm-dialog.tsx";
import { Empty } from "../ui/empty.tsx";
import { Table } from "../ui/table.tsx";
import { useText } from "../words/catalogue.ts";
import { useFormat } from "../words/format.ts";
import { Loading } from "./loading.tsx";
import { secretWords } from "./secret-words.ts";
import { useLoaded } from "./use-loaded.ts";

interface Secret {
  readonly name: string;
  readonly path: string;
  readonly kind: "creds" | "certificate" | "key" | "other";
  readonly not_after: string | null;
  readonly in_use: boolean;
}

/** As the doctor warns. */
const SOON_MS = 14 * 86_400_000;

export function SecretsTab() {
  const text = useText(secretWords);
  const loaded = useLoaded(() => api.get<{ readonly secrets: readonly Secret[] }>("/api/secrets"));
  const [whose, setWhose] = useState<Secret>();
  if (loaded.value === undefined) return <Loading loaded={loaded} />;
  return (
    <>
      <p class="sys-hint">{text("lead")}</p>
      <Table
        caption={text("title")}
        rows={loaded.value.secrets}
        keyOf={({ name }) => name}
        empty={<Empty icon="key" title={text("none")} />}
        columns={[
          { key: "path", head: text("path"), cell: ({ path }) => <span class="mono">{path}</span> },
          { key: "kind", head: text("kind"), cell: ({ kind }) => text(`kind_${kind}`) },
          { key: "ends", head: text("ends"), cell: ({ not_after: at }) => (at === null ? "–" : <Ends at={at} />) },
          { key: "use", head: text("use"), cell: ({ in_use: isUsed }) => text(isUsed ? "used" : "unused") },
          {
            key: "deeds",
            head: <span class="visually-hidden">{text("remove", { name: "" })}</span>,
            cell: (secret) =>
              !secret.in_use && (
                <Button
                  kind="quiet"
                  icon="remove"
                  label={text("remove", { name: secret.name })}
                  onClick={() => setWhose(secret)}
                />
              ),
          },
        ]}
      />
      {whose !== undefined && (
        <ConfirmDialog
          title={text("remove", { name: whose.name })}
          confirm={text("remove", { name: whose.name })}
          isDanger
          onCancel={() => setWhose(undefined)}
          onConfirm={async () => {
            await api.del(`/api/secrets/${encodeURIComponent(whose.name)}`);
            setWhose(undefined);
            loaded.again();
          }}
        >
          <p>{text("remove_text")}</p>
        </ConfirmDialog>
      )}
    </>
  );
}

/** By the device's clock, which is the one that the handshake will go by. */
function Ends({ at }: { readonly at: string }) {
  const text = useText(secretWords);
  const format = useFormat();
  const { now } = useStatus();
  const left = Date.parse(at) - Date.parse(now);
  return (
    <>
      {format.date(at)}{" "}
      {left < SOON_MS && <Badge tone={left < 0 ? "bad" : "look"}>{text(left < 0 ? "ended" : "ends_soon")}</Badge>}
    </>
  );
}
