// Takes a credentials file apart: a user JWT and an nkey seed, each between two lines of dashes as nsc writes them:
//
//   -----BEGIN NATS USER JWT-----          also: without the lines of dashes, either of the two alone, CRLF, a byte order mark,
//   eyJ0eXAiOiJKV1QiLCJhbGciOi…            what a mail program broke into several lines
//   ------END NATS USER JWT------
//
// The seed stays bytes, in a buffer of its own that the caller wipes; it never becomes a string, which nobody could wipe.

export interface CredsParts {
  readonly jwt: string | null;
  readonly seed: Buffer | null;
}

const NEWLINE = 10;
const DASH = 45;
const SPACE = 32;
/** Shorter words that begin with S are words. */
const SEED_CHARS_MIN = 40;

/** The parts, or what is wrong with the file, as the end of a sentence ("the file …"). */
export function parseCreds(bytes: Buffer): CredsParts | { readonly fault: string } {
  let jwt: string | null = null;
  let seed: Buffer | null = null;
  let block: { readonly label: string; readonly lines: Buffer[] } | null = null;
  const fail = (fault: string) => {
    seed?.fill(0);
    return { fault };
  };
  for (const line of linesOf(bytes)) {
    const label = labelOf(line);
    if (label === null) {
      if (block !== null) block.lines.push(line);
      else if (isJwt(line)) jwt ??= line.toString("latin1");
      else if (isSeed(line)) seed ??= Buffer.from(line);
    } else if (/^BEGIN\b/.test(label)) {
      if (block !== null) return fail(`is damaged: "${block.label}" has no end before "${label}"`);
      block = { label, lines: [] };
    } else if (/^END\b/.test(label)) {
      if (block === null) return fail(`is damaged: "${label}" has no beginning`);
      if (/\bJWT$/.test(block.label)) jwt ??= block.lines.map((part) => part.toString("latin1")).join("");
      else if (/\bSEED$/.test(block.label)) seed ??= Buffer.concat(block.lines);
      block = null;
    }
  }
  if (block !== null) return fail(`was cut off: "${block.label}" has no end`);
  if (jwt === "" || seed?.length === 0) return fail(`is damaged: there is nothing in its ${jwt === "" ? "JWT" : "seed"} block`);
  return { jwt, seed };
}

/** Lines without white space around them, as views; empty ones left out. */
function* linesOf(bytes: Buffer): Iterable<Buffer> {
  let start = bytes.length >= 3 && bytes.readUIntBE(0, 3) === 0xefbbbf ? 3 : 0;
  while (start < bytes.length) {
    const newline = bytes.indexOf(NEWLINE, start);
    let end = newline < 0 ? bytes.length : newline;
    const next = end + 1;
    while (start < end && bytes[start]! <= SPACE) start += 1;
    while (end > start && bytes[end - 1]! <= SPACE) end -= 1;
    if (end > start) yield bytes.subarray(start, end);
    start = next;
  }
}

/** `BEGIN NATS USER JWT` of a line of dashes; null: an ordinary line. */
function labelOf(line: Buffer): string | null {
  if (line[0] !== DASH || line[1] !== DASH || line[2] !== DASH) return null;
  return /^-{3,}\s*([A-Z ]{1,60}?)\s*-{3,}$/.exec(line.toString("latin1"))?.[1] ?? null;
}

function isJwt(line: Buffer): boolean {
  return line.subarray(0, 3).equals(JWT_START) && line.includes(".");
}

/** `{"` in base64url: every JWT begins so. */
const JWT_START = Buffer.from("eyJ");

function isSeed(line: Buffer): boolean {
  return line[0] === "S".charCodeAt(0) && line.length >= SEED_CHARS_MIN && line.every((char) => char > SPACE && char < 127);
}
