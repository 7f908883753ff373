// A file for the device, chosen or pasted. It goes there, and is never shown again.

import { useState } from "preact/hooks";
import { api } from "../shell/api.ts";
import { refusalWords } from "../shell/refusal-words.ts";
import { shellWords } from "../shell/words.ts";
import { Button } from "../ui/button.tsx";
import { Field } from "../ui/field.tsx";
import { Icon } from "../ui/icon.tsx";
import { Notice } from "../ui/notice.tsx";
import { Textarea } from "../ui/textarea.tsx";
import { useText } from "../words/catalogue.ts";
import { wizardWords } from "./words.ts";

const BYTES_MAX = 64 * 1024;

interface SecretFieldProps {
  readonly label: string;
  /** "hub.creds": taken, or the first free one after it ("hub-2.creds"), so that a link that works keeps its file. */
  readonly name: string;
  readonly accept: string;
  /** Where it is on the device; "": nowhere. */
  readonly path: string;
  readonly onStored: (path: string) => void;
  readonly isOptional?: boolean;
}

interface SecretsAnswer {
  readonly secrets: readonly { readonly name: string }[];
  readonly reserved: readonly string[];
}

export function SecretField({ label, name, accept, path, onStored, isOptional = false }: SecretFieldProps) {
  const text = useText(wizardWords);
  const shellText = useText(shellWords);
  const [pasted, setPasted] = useState("");
  const [isPasting, setPasting] = useState(false);
  const [isReplacing, setReplacing] = useState(false);
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState("");
  const store = async (content: string) => {
    setBusy(true);
    setFault("");
    try {
      const { secrets, reserved } = await api.get<SecretsAnswer>("/api/secrets");
      const taken = new Set([...secrets.map((each) => each.name), ...reserved]);
      const stored = await api.post<{ readonly path: string }>("/api/secrets", { name: freeName(name, taken), content });
      setPasted("");
      setPasting(false);
      setReplacing(false);
      onStored(stored.path);
    } catch (error) {
      setFault(refusalWords(error, shellText));
    }
    setBusy(false);
  };
  const choose = async (file: File | undefined) => {
    if (file === undefined) return;
    if (file.size > BYTES_MAX) return setFault(text("fileTooLarge"));
    await store(await file.text());
  };
  if (path !== "" && !isReplacing)
    return (
      <div class="field">
        <p class="wizard-label">{label}</p>
        <p class="wizard-stored">
          <Icon name="good" /> <span>{text("storedAs", { path })}</span>
        </p>
        <div class="actions">
          <Button icon="upload" onClick={() => setReplacing(true)}>
            {text("replace")}
          </Button>
          {isOptional && (
            <Button icon="remove" onClick={() => onStored("")}>
              {text("takeOut")}
            </Button>
          )}
        </div>
      </div>
    );
  return (
    <fieldset class="wizard-secret">
      <legend>{label}</legend>
      <div class="actions">
        <label class="button button-plain wizard-file">
          <Icon name="upload" />
          <span>{text("chooseFile")}</span>
          <input
            type="file"
            accept={accept}
            disabled={busy}
            onChange={(event) => {
              void choose(event.currentTarget.files?.[0]);
              event.currentTarget.value = "";
            }}
          />
        </label>
        <Button icon="file" expanded={isPasting} onClick={() => setPasting(!isPasting)}>
          {text("paste")}
        </Button>
      </div>
      {isPasting && (
        <>
          <Field label={text("paste")}>
            <Textarea value={pasted} onInput={setPasted} rows={6} isMono placeholder="-----BEGIN …" />
          </Field>
          <Button kind="primary" busy={busy} disabled={pasted.trim() === ""} onClick={() => store(`${pasted.trim()}\n`)}>
            {text("store")}
          </Button>
        </>
      )}
      {fault !== "" && (
        <Notice tone="bad" isAlert>
          {fault}
        </Notice>
      )}
    </fieldset>
  );
}

function freeName(name: string, taken: ReadonlySet<string>): string {
  const dot = name.lastIndexOf(".");
  for (let n = 2, free = name; ; n += 1) {
    if (!taken.has(free)) return free;
    free = `${name.slice(0, dot)}-${n}${name.slice(dot)}`;
  }
}
