// Language and appearance, as this browser remembers them.

import { useContext } from "preact/hooks";
import { APPEARANCES, useAppearance } from "../ui/appearance.tsx";
import { Icon } from "../ui/icon.tsx";
import { Select } from "../ui/select.tsx";
import { useText } from "../words/catalogue.ts";
import { LANGUAGE_NAMES, LANGUAGES, LanguageContext } from "../words/languages.ts";
import { shellWords } from "./words.ts";

interface ChoicesProps {
  /** The language alone: before the login there is no room, and the system knows about light and dark. */
  readonly isBrief?: boolean;
}

export function Choices({ isBrief = false }: ChoicesProps) {
  const text = useText(shellWords);
  const { language, setLanguage } = useContext(LanguageContext);
  const { choice, appearance, choose } = useAppearance();
  return (
    <div class="choices">
      <div class="choice">
        <Icon name="language" />
        <Select
          label={text("language")}
          value={language}
          onChange={setLanguage}
          options={LANGUAGES.map((value) => ({ value, label: LANGUAGE_NAMES[value] }))}
        />
      </div>
      {!isBrief && (
        <div class="choice">
          <Icon name={appearance === "dark" ? "moon" : "sun"} />
          <Select
            label={text("appearance")}
            value={choice}
            onChange={choose}
            options={APPEARANCES.map((value) => ({ value, label: text(`appearance_${value}`) }))}
          />
        </div>
      )}
    </div>
  );
}
