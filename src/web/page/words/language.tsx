// Which language the page speaks: as chosen before, else the first of the browser's that we know, else English.

import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { keep, kept } from "./kept.ts";
import { LANGUAGE_TAGS, LANGUAGES, type Language, LanguageContext } from "./languages.ts";

export function LanguageProvider({ children }: { readonly children: ComponentChildren }) {
  const [language, setLanguage] = useState<Language>(firstLanguage);
  useEffect(() => {
    document.documentElement.lang = LANGUAGE_TAGS[language];
  }, [language]);
  const handle = useMemo(
    () => ({
      language,
      setLanguage: (next: Language) => {
        keep("language", next);
        setLanguage(next);
      },
    }),
    [language],
  );
  return <LanguageContext.Provider value={handle}>{children}</LanguageContext.Provider>;
}

function firstLanguage(): Language {
  const wishes = [kept("language") ?? "", ...navigator.languages];
  for (const wish of wishes) {
    const known = LANGUAGES.find((each) => wish.toLowerCase().split("-")[0] === each);
    if (known !== undefined) return known;
  }
  return "en";
}
