// What this device is, what it is made of, and how long it is looked after.

import { crashWords } from "../dashboard/crash-words.ts";
import { visible } from "../messages/visible.ts";
import { api } from "../shell/api.ts";
import { useStatus } from "../shell/live.tsx";
import { Card } from "../ui/card.tsx";
import { Copy } from "../ui/copy.tsx";
import { Facts } from "../ui/facts.tsx";
import { Icon } from "../ui/icon.tsx";
import { useText } from "../words/catalogue.ts";
import { useFormat } from "../words/format.ts";
import { aboutWords } from "./about-words.ts";
import { Loading } from "./loading.tsx";
import { useLoaded } from "./use-loaded.ts";

interface About {
  readonly version: string;
  readonly commit: string;
  readonly node: string;
  readonly support: { readonly until: string | null; readonly text: string };
  readonly licences: string | null;
  readonly sbom: string | null;
  readonly device: {
    readonly model: string | null;
    readonly os: string | null;
    readonly kernel: string;
    readonly arch: string;
    readonly hostname: string;
  };
  readonly fingerprint: string | null;
}

export function AboutTab() {
  const text = useText(aboutWords);
  const format = useFormat();
  const { server_name: name, device_id: id, last_crash: crash } = useStatus();
  const crashText = useText(crashWords);
  const loaded = useLoaded(() => api.get<About>("/api/about"));
  if (loaded.value === undefined) return <Loading loaded={loaded} />;
  const { version, commit, node, support, licences, sbom, device, fingerprint } = loaded.value;
  const files = [
    { href: licences, label: text("licences"), name: "petiole-licences.txt" },
    { href: sbom, label: text("sbom"), name: "petiole-sbom.json" },
  ].flatMap(({ href, ...rest }) => (href === null ? [] : [{ href, ...rest }]));
  const until = support.until === null ? [] : [text("support_until", { date: format.date(support.until) })];
  return (
    <>
      <Card title={text("device")}>
        <Facts
          items={[
            [text("name"), name],
            [text("device_id"), <span class="mono">{id}</span>],
            [text("hostname"), device.hostname],
            [text("model"), device.model ?? "–"],
            [text("os"), device.os ?? "–"],
            [text("kernel"), `${device.kernel} (${device.arch})`],
          ]}
        />
      </Card>
      <Card title={text("software")}>
        <Facts
          items={[
            [text("version"), `Petiole ${version}`],
            [text("commit"), <span class="mono">{commit}</span>],
            [text("runtime"), `Node.js ${node}`],
            [text("support"), [...until, support.text].join(" · ")],
            ...(crash === undefined
              ? []
              : [[crashText("last"), `${format.date(crash.at)} · ${visible(crash.reason, 500)}`] as const]),
          ]}
        />
      </Card>
      {fingerprint !== null && (
        <Card
          title={text("fingerprint")}
          lead={text("fingerprint_lead")}
          actions={<Copy text={fingerprint} label={text("fingerprint")} />}
        >
          <p class="mono">{fingerprint}</p>
        </Card>
      )}
      <Card title={text("parts")}>
        {files.length === 0 ? (
          <p>{text("parts_none")}</p>
        ) : (
          <p class="actions">
            {files.map((file) => (
              <a key={file.href} class="button button-plain" href={file.href} download={file.name}>
                <Icon name="download" /> <span>{file.label}</span>
              </a>
            ))}
          </p>
        )}
      </Card>
    </>
  );
}
