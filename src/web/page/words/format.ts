// Numbers, sizes and times as the chosen language writes them.

import { useContext, useMemo } from "preact/hooks";
import { type Language, LanguageContext, localeOf } from "./languages.ts";

export interface Format {
  /** 1.4 MB: thousands, not 1,024s. */
  bytes(n: number): string;
  bytesPerSecond(n: number): string;
  count(n: number): string;
  /** Per second, with as many digits as matter. */
  rate(n: number): string;
  /** "3 h 10 min": the two largest units. */
  duration(ms: number): string;
  /** How long ago, by the browser's clock: "5 min". */
  since(iso: string): string;
  /** 14:05:09 */
  clock(iso: string | number): string;
  /** 22 Nov 2026, 14:05 */
  date(iso: string | number): string;
  /** 0.25 → 25 % */
  percent(n: number): string;
  milliseconds(n: number): string;
}

export function useFormat(): Format {
  const { language } = useContext(LanguageContext);
  return useMemo(() => formatIn(language, localeOf(language)), [language]);
}

const BYTE_UNITS = ["kilobyte", "megabyte", "gigabyte", "terabyte"] as const;
const TIME_UNITS_MS = [86_400_000, 3_600_000, 60_000, 1_000] as const;
/** Of day, hour, minute, second: shorter than what the browser knows. */
const TIME_SYMBOLS: Readonly<Record<Language, readonly string[]>> = {
  en: ["d", "h", "min", "s"],
  de: ["d", "h", "min", "s"],
  fr: ["j", "h", "min", "s"],
  es: ["d", "h", "min", "s"],
  pt: ["d", "h", "min", "s"],
  zh: ["天", "小时", "分", "秒"],
};

/** `locale`: the language with its country, for the order of dates. */
export function formatIn(language: Language, locale: string = language): Format {
  const number = (options: Intl.NumberFormatOptions) => new Intl.NumberFormat(locale, options);
  const unit = (name: string, digits: number) =>
    number({ style: "unit", unit: name, unitDisplay: "short", maximumFractionDigits: digits });
  const whole = number({ maximumFractionDigits: 0 });
  const few = number({ maximumSignificantDigits: 2 });
  const percents = number({ style: "percent", maximumFractionDigits: 1 });
  const sizes = BYTE_UNITS.map((name) => ({ small: unit(name, 1), large: unit(name, 0) }));
  const millis = unit("millisecond", 0);
  const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
  const date = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });

  const bytes = (n: number) => {
    if (n < 1_000) return `${whole.format(n)} ${language === "fr" ? "o" : "B"}`;
    const step = Math.min(Math.floor(Math.log10(n) / 3), BYTE_UNITS.length);
    const value = n / 1_000 ** step;
    const { small, large } = sizes[step - 1]!;
    return (value < 100 ? small : large).format(value);
  };
  const duration = (ms: number) => {
    const rounded = Math.max(0, Math.round(ms / 1_000)) * 1_000;
    const found = TIME_UNITS_MS.findIndex((unit) => rounded >= unit);
    const first = found === -1 ? TIME_UNITS_MS.length - 1 : found;
    const named = (count: number, index: number) => `${whole.format(count)} ${TIME_SYMBOLS[language][index]}`;
    const size = TIME_UNITS_MS[first]!;
    const next = TIME_UNITS_MS[first + 1];
    const rest = next === undefined ? 0 : Math.floor((rounded % size) / next);
    const head = named(Math.floor(rounded / size), first);
    return rest === 0 ? head : `${head} ${named(rest, first + 1)}`;
  };
  return {
    bytes,
    bytesPerSecond: (n) => `${bytes(n)}/s`,
    count: (n) => whole.format(n),
    rate: (n) => `${n >= 100 ? whole.format(n) : few.format(n)}/s`,
    duration,
    since: (iso) => duration(Date.now() - Date.parse(iso)),
    clock: (iso) => clock.format(new Date(iso)),
    date: (iso) => date.format(new Date(iso)),
    percent: (n) => percents.format(n),
    milliseconds: (n) => millis.format(n),
  };
}
