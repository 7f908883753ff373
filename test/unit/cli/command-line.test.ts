// The command line: what means nothing to a command is said, not passed over.

import assert from "node:assert/strict";
import { test } from "node:test";
import { misuseOf, parseCommandLine } from "../../../src/cli/command-line.ts";

test("an option of another command and a stray word are misuse, named as they were written", () => {
  const cases: readonly (readonly [readonly string[], string | undefined])[] = [
    [["run", "--port", "1"], '--port means nothing to "petiole run"'],
    [["status", "--qr"], '--qr means nothing to "petiole status"'],
    [["run", "now"], '"now" was not expected after "run"'],
    [["check", "--limit", "3", "--data", "/d"], '--limit means nothing to "petiole check"'],
    [["run", "--data", "/d", "--settings", "/s"], undefined],
    [["outbox", "peek", "--lane", "alarm", "--json"], undefined],
    [["serial", "listen", "x", "--baud", "9600"], undefined],
    [["fly", "--port", "1"], undefined],
    [[], undefined],
  ];
  for (const [argv, words] of cases) assert.equal(misuseOf(parseCommandLine(argv)), words, argv.join(" "));
});

test("an option that nobody knows is a fault that names it", () => {
  assert.throws(() => parseCommandLine(["run", "--fly"]), /--fly/);
});
