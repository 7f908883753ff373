// The colon between a word and what belongs to it, as each language sets it.

import { useContext } from "preact/hooks";
import { LanguageContext } from "./languages.ts";

export function useColon(): string {
  const { language } = useContext(LanguageContext);
  return language === "zh" ? "：" : language === "fr" ? "\u00a0: " : ": ";
}
