// Light or dark: as the system says, or as chosen.

import { type ComponentChildren, createContext } from "preact";
import { useContext, useMemo, useState } from "preact/hooks";
import { keep, kept } from "../words/kept.ts";
import { useMedia } from "./media.ts";

export const APPEARANCES = ["auto", "light", "dark"] as const;

export type AppearanceChoice = (typeof APPEARANCES)[number];

interface AppearanceHandle {
  readonly choice: AppearanceChoice;
  /** What is shown. */
  readonly appearance: "light" | "dark";
  choose(choice: AppearanceChoice): void;
}

const AppearanceContext = createContext<AppearanceHandle>({ choice: "auto", appearance: "light", choose: () => undefined });

export function useAppearance(): AppearanceHandle {
  return useContext(AppearanceContext);
}

export function AppearanceProvider({ children }: { readonly children: ComponentChildren }) {
  const [choice, setChoice] = useState<AppearanceChoice>(() => APPEARANCES.find((each) => each === kept("appearance")) ?? "auto");
  const isDark = useMedia("(prefers-color-scheme: dark)");
  const appearance = choice === "auto" ? (isDark ? "dark" : "light") : choice;
  // Before the children are drawn: plots read the colours.
  document.documentElement.dataset["appearance"] = appearance;
  const handle = useMemo(
    () => ({
      choice,
      appearance,
      choose: (next: AppearanceChoice) => {
        keep("appearance", next === "auto" ? null : next);
        setChoice(next);
      },
    }),
    [choice, appearance],
  );
  return <AppearanceContext.Provider value={handle}>{children}</AppearanceContext.Provider>;
}
