// The languages of the page, and which one is spoken. Without DOM and JSX: tests read words and numbers outside of a browser.

import { createContext } from "preact";

export const LANGUAGES = ["en", "de", "fr", "es", "pt", "zh"] as const;

export type Language = (typeof LANGUAGES)[number];

/** Each in its own words. */
export const LANGUAGE_NAMES: Readonly<Record<Language, string>> = {
  en: "English",
  de: "Deutsch",
  fr: "Français",
  es: "Español",
  pt: "Português (Brasil)",
  zh: "中文",
};

/** For the document, where a screen reader takes its voice from. */
export const LANGUAGE_TAGS: Readonly<Record<Language, string>> = {
  en: "en",
  de: "de",
  fr: "fr",
  es: "es",
  pt: "pt-BR",
  zh: "zh-Hans",
};

export interface LanguageHandle {
  readonly language: Language;
  setLanguage(language: Language): void;
}

export const LanguageContext = createContext<LanguageHandle>({ language: "en", setLanguage: () => undefined });

/** The browser's own variant of the language ("en-GB") where it has one. */
export function localeOf(language: Language): string {
  return navigator.languages.find((each) => each.toLowerCase().split("-")[0] === language) ?? language;
}
