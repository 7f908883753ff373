// What a step saw, folded away; a chain of certificates one by one.

import { Facts as FactList } from "../ui/facts.tsx";
import { useText } from "../words/catalogue.ts";
import type { Fact, Facts } from "./examination.ts";
import { words } from "./words.ts";

export function FactsFold({ facts, isOpen }: { readonly facts: Facts; readonly isOpen: boolean }) {
  const text = useText(words);
  const { chain, ...rest } = facts;
  const certificates = isFactsList(chain) ? chain : [];
  const entries = Object.entries(rest).filter(([name, value]) => name !== "because" && value !== null && value !== "");
  if (certificates.length === 0 && entries.length === 0) return null;
  return (
    <details class="details" open={isOpen}>
      <summary>{text(certificates.length > 0 ? "chain" : "facts")}</summary>
      {certificates.length > 0 && (
        <ol class="doctor-chain">
          {certificates.map((each) => (
            <li key={shown(each["sha256"] ?? "")}>
              <FactList
                items={[
                  [text("subject"), shown(each["subject"] ?? "")],
                  [text("issuer"), shown(each["issuer"] ?? "")],
                  [text("names"), shown(each["names"] ?? "")],
                  [text("valid"), text("from_to", { begins: shown(each["begins"] ?? ""), ends: shown(each["ends"] ?? "") })],
                  [text("sha256"), <span class="mono">{shown(each["sha256"] ?? "")}</span>],
                ]}
              />
            </li>
          ))}
        </ol>
      )}
      {entries.length > 0 && (
        <div lang="en">
          <FactList items={entries.map(([name, value]) => [name.replaceAll("_", " "), shown(value)])} />
        </div>
      )}
    </details>
  );
}

function isFactsList(value: Fact | undefined): value is readonly Facts[] {
  return Array.isArray(value) && value.length > 0 && value.every((each) => typeof each === "object");
}

function shown(value: Fact): string {
  if (Array.isArray(value)) return value.map((each) => (typeof each === "string" ? each : JSON.stringify(each))).join(", ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
