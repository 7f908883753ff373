// Words in six languages, side by side where they are used: each folder of views has its words.ts. The types see to it that no language
// misses one.
//
//   {name}              is replaced by the value of that name
//   {n|message|messages}  the value and the first word for one, the second otherwise, as the language counts

import { useContext, useMemo } from "preact/hooks";
import { type Language, LanguageContext } from "./languages.ts";

export type Words = Record<string, Record<Language, string>>;
export type Values = Readonly<Record<string, string | number>>;
export type Text<T> = (key: keyof T, values?: Values) => string;

export function catalogue<const T extends Words>(words: T): T {
  return words;
}

/** Changes with the language, and whoever uses it is shown anew then. */
export function useText<T extends Words>(words: T): Text<T> {
  const { language } = useContext(LanguageContext);
  return useMemo(() => textIn(words, language), [words, language]);
}

export function textIn<T extends Words>(words: T, language: Language): Text<T> {
  const plural = new Intl.PluralRules(language);
  return (key, values) => {
    const text = words[key]![language];
    return values === undefined ? text : filled(text, values, plural, language);
  };
}

function filled(text: string, values: Values, plural: Intl.PluralRules, language: Language): string {
  return text.replace(/\{(\w+)(?:\|([^|}]*)\|([^}]*))?\}/g, (whole, name: string, one?: string, other?: string) => {
    const value = values[name];
    if (value === undefined) return whole;
    const shown = typeof value === "number" ? value.toLocaleString(language) : value;
    if (one === undefined || other === undefined) return shown;
    return `${shown} ${plural.select(Number(value)) === "one" ? one : other}`;
  });
}
