// The path of a file with a secret: one of those that lie on the device, or one from the phone, which goes there now.

import { useEffect, useState } from "preact/hooks";
import { api } from "../shell/api.ts";
import { Icon } from "../ui/icon.tsx";
import { Input } from "../ui/input.tsx";
import { Notice } from "../ui/notice.tsx";
import { useToast } from "../ui/toast.tsx";
import { useText } from "../words/catalogue.ts";
import { secretName } from "./secret-name.ts";
import { words } from "./words.ts";

const KEYS: ReadonlySet<string> = new Set(["credentials", "ca_file", "cert_file", "key_file"]);

/** Does a setting of this name want a file's path? */
export function isFilePath(key: string): boolean {
  return KEYS.has(key);
}

interface Secrets {
  readonly secrets: readonly { readonly name: string; readonly path: string }[];
  readonly reserved: readonly string[];
}

interface FilePathInputProps {
  readonly name: string;
  readonly value: string;
  readonly placeholder: string;
  readonly isDisabled: boolean;
  readonly onChange: (path: string) => void;
}

export function FilePathInput({ name, value, placeholder, isDisabled, onChange }: FilePathInputProps) {
  const text = useText(words);
  const toast = useToast();
  const [known, setKnown] = useState<Secrets>({ secrets: [], reserved: [] });
  const [failure, setFailure] = useState("");
  useEffect(() => {
    const asked = new AbortController();
    // Only a comfort: without them the path is typed.
    api.get<Secrets>("/api/secrets", { signal: asked.signal }).then(setKnown, () => undefined);
    return () => asked.abort();
  }, []);
  const upload = async (file: File | undefined) => {
    if (file === undefined) return;
    setFailure("");
    try {
      const taken = new Set([...known.secrets.map((each) => each.name), ...known.reserved]);
      const stored = await api.post<{ readonly path: string }>("/api/secrets", {
        name: secretName(file.name, taken),
        content: await file.text(),
      });
      onChange(stored.path);
      toast(text("uploaded", { path: stored.path }));
    } catch (error) {
      setFailure((error as Error).message);
    }
  };
  return (
    <div class="set-path">
      <Input
        value={value}
        onInput={onChange}
        placeholder={placeholder}
        isDisabled={isDisabled}
        suggestions={known.secrets.map(({ path }) => path)}
      />
      {!isDisabled && (
        <label class="button button-plain set-upload">
          <Icon name="upload" />
          <span>{text("upload")}</span>
          <input
            type="file"
            class="visually-hidden"
            aria-label={`${text("upload")}: ${name}`}
            onChange={(event) => {
              void upload(event.currentTarget.files?.[0]);
              event.currentTarget.value = "";
            }}
          />
        </label>
      )}
      {failure !== "" && (
        <Notice tone="bad" isAlert>
          <span lang="en">{failure}</span>
        </Notice>
      )}
    </div>
  );
}
