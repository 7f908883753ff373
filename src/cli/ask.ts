// Asks a person for one line at the terminal, without showing what they type. A pipe is read the same way.

import { createInterface } from "node:readline";
import { Writable } from "node:stream";

/** The lines of stdin, one at a time; "" when it has ended. */
export function createAsker(): { ask(question: string): Promise<string> } & Disposable {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: silent, terminal: process.stdin.isTTY === true });
  const iterator = lines[Symbol.asyncIterator]();
  return {
    async ask(question) {
      process.stderr.write(question);
      const next = await iterator.next();
      if (process.stdin.isTTY === true) process.stderr.write("\n");
      return next.done === true ? "" : next.value;
    },
    [Symbol.dispose]: () => lines.close(),
  };
}
