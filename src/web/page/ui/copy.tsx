// Takes a text to the clipboard. Over plain HTTP browsers give the new interface to nobody, so there is the old way too.

import { useText } from "../words/catalogue.ts";
import { Button } from "./button.tsx";
import { useToast } from "./toast.tsx";
import { uiWords } from "./words.ts";

interface CopyProps {
  readonly text: string;
  /** What is copied, for who does not see it: "the claim code". */
  readonly label?: string;
}

export function Copy({ text: copied, label }: CopyProps) {
  const text = useText(uiWords);
  const toast = useToast();
  const run = async () => {
    const isDone = await copy(copied);
    toast(text(isDone ? "copied" : "notCopied"), isDone ? "good" : "look");
  };
  return (
    <Button icon="copy" onClick={run} {...(label === undefined ? {} : { label: `${text("copy")}: ${label}` })}>
      {text("copy")}
    </Button>
  );
}

async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyTheOldWay(text); // no clipboard here (plain HTTP), or not allowed
  }
}

function copyTheOldWay(text: string): boolean {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  area.select();
  const isDone = document.execCommand("copy");
  area.remove();
  return isDone;
}
