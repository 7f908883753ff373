// Distinguished names, as certificates and settings write them: `CN=gw-7,OU=Sensors+L=Kiel,O=Acme,C=DE`.
//
//   text ─▶ RDNs, most specific first or last ─▶ each a sorted list of TYPE=value
//
// Two are the same if their RDNs are, in the order written; or, second best, in any order: people write them both ways.
// Values are compared letter by letter. Source: RFC 4514; nats-server compares in the same two steps.

export type DistinguishedName = readonly string[];

const ALIASES: Readonly<Record<string, string>> = {
  E: "EMAILADDRESS",
  EMAIL: "EMAILADDRESS",
  S: "ST",
  USERID: "UID",
  DOMAINCOMPONENT: "DC",
  COMMONNAME: "CN",
};

/** Undefined: it is none. */
export function tryDistinguishedName(text: string): DistinguishedName | undefined {
  const names: string[] = [];
  for (const rdn of splitAt(text, ",;")) {
    const attributes = splitAt(rdn, "+").map(attributeOf);
    if (attributes.length === 0 || attributes.some((each) => each === undefined)) return undefined;
    names.push(attributes.sort().join("+"));
  }
  return names.length === 0 ? undefined : names;
}

/** Alike in any order. */
export function sameNames(a: DistinguishedName, b: DistinguishedName): boolean {
  const [left, right] = [[...a].sort(), [...b].sort()];
  return left.length === right.length && left.every((name, i) => name === right[i]);
}

/** At separators that are not escaped. */
function splitAt(text: string, separators: string): string[] {
  const parts: string[] = [];
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "\\") i += 1;
    else if (separators.includes(text[i]!)) {
      parts.push(text.slice(start, i));
      start = i + 1;
    }
  }
  return [...parts, text.slice(start)];
}

function attributeOf(text: string): string | undefined {
  const at = text.indexOf("=");
  const type = text.slice(0, at).trim().toUpperCase();
  if (at <= 0 || !/^([A-Z][A-Z0-9-]*|\d+(\.\d+)+)$/.test(type)) return undefined;
  const value = textOf(text.slice(at + 1));
  return value === undefined ? undefined : `${ALIASES[type] ?? type}=${JSON.stringify(value)}`;
}

/** Blanks around it do not count, escaped ones do. */
function textOf(text: string): string | undefined {
  const bytes: Buffer[] = [];
  let kept = 0;
  for (const [piece, pair, letter] of text.trimStart().matchAll(/\\([0-9a-fA-F]{2})|\\(.)|./gsu)) {
    if (piece === "\\") return undefined; // nothing behind it
    bytes.push(pair === undefined ? Buffer.from(letter ?? piece, "utf8") : Buffer.from(pair, "hex"));
    if (piece !== " ") kept = bytes.length;
  }
  return Buffer.concat(bytes.slice(0, kept)).toString("utf8");
}
