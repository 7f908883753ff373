// What strangers write (client ids, subjects, payloads, what a serial device calls itself) as it is shown: every character that cannot
// be seen, or that turns the order of others round, becomes one that can. Nothing here is about HTML: the page sets text, never markup.
//
//   "a‹CR›b"          control characters by their names
//   "gate‹202E›3pm"   format characters, lone surrogates and unassigned ones by their numbers
//
// Unicode has pictures of control characters, but not every phone has them in its fonts.

const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;
const UNSEEN_BUT_LINES = /[^\n\t\P{Cc}]|[\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;
/** Shown of one name; whoever chose a longer one does not get the page for it. */
const NAME_CHARS_MAX = 256;
/** From right to left, U+0590 to U+08FF and their presentation forms, and scripts beyond the first plane. */
const TURNING = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/** By their codes, ASCII 0 to 31. */
const CONTROLS =
  "NUL SOH STX ETX EOT ENQ ACK BEL BS HT LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US".split(" ");

/** One line, for names. Kept apart from the words around it where it is written from right to left. */
export function visible(text: string, charsMax: number = NAME_CHARS_MAX): string {
  const shown = cut(text, charsMax).replace(UNSEEN, picture);
  return TURNING.test(shown) ? `\u2068${shown}\u2069` : shown;
}

/** Several lines, for payloads: line feeds and tabs stay what they are. */
export function visibleLines(text: string): string {
  return text.replace(/\r\n/g, "‹CR›\n").replace(UNSEEN_BUT_LINES, picture);
}

function cut(text: string, charsMax: number): string {
  return text.length <= charsMax ? text : `${text.slice(0, charsMax)}…`;
}

function picture(character: string): string {
  const code = character.codePointAt(0)!;
  if (code === 0x7f) return "‹DEL›";
  return `‹${CONTROLS[code] ?? code.toString(16).toUpperCase().padStart(4, "0")}›`;
}
