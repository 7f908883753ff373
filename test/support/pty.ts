// A serial device made of a pseudo-terminal: `path` is what the spoke opens, `write` and `says` are the device's own end.
//
//   spoke ── path (a link to /dev/pts/N) ══ pty ══ socat ── stdin and stdout ── the test
//
// Closing the port on the spoke's side does not end it: it can be opened again. Unplugging makes link and terminal vanish.

import * as fs from "node:fs/promises";
import * as path from "node:path";
import { SpawnedProcess } from "./processes.ts";
import { type TempFolder, tempFolder } from "./temp-folder.ts";

export class Pty implements AsyncDisposable {
  /** Stays the same over unplug and replug, as a link made by USB port would. */
  readonly path: string;
  readonly #folder: TempFolder;
  #socat: SpawnedProcess | undefined;

  static async open(): Promise<Pty> {
    const pty = new Pty(await tempFolder("petiole-pty"));
    try {
      await pty.replug();
    } catch (error) {
      await pty[Symbol.asyncDispose]();
      throw error;
    }
    return pty;
  }

  private constructor(folder: TempFolder) {
    this.#folder = folder;
    this.path = path.join(folder.path, "ttyTEST0");
  }

  get isPlugged(): boolean {
    return this.#socat !== undefined;
  }

  /** The device speaks. Bytes wait in the terminal (4 KiB or so) while nobody has it open. */
  write(bytes: string | Uint8Array): void {
    this.#plugged().write(bytes);
  }

  /** What the device has heard since it was plugged in, as Latin-1 would have it for bytes below 0x80. */
  get heard(): string {
    return this.#plugged().stdout;
  }

  /** Resolves when the device has heard something that matches. */
  async hears(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray> {
    const socat = this.#plugged();
    return await socat.when(() => pattern.exec(socat.stdout) ?? undefined, `to hear ${pattern}`, timeoutMs);
  }

  /** Pulls the plug: whoever has it open gets a hang-up, the path is gone. */
  async unplug(): Promise<void> {
    const socat = this.#socat;
    this.#socat = undefined;
    await socat?.kill();
    await fs.rm(this.path, { force: true }); // killed, socat could not remove its link
  }

  async replug(): Promise<void> {
    if (this.#socat !== undefined) throw new Error(`${this.path} is plugged in already`);
    this.#socat = await SpawnedProcess.start("socat", ["-d", "-d", "STDIO", `PTY,link=${this.path},raw,echo=0`]);
    await this.#socat.says(/starting data transfer loop/);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unplug();
    await this.#folder[Symbol.asyncDispose]();
  }

  #plugged(): SpawnedProcess {
    if (this.#socat === undefined) throw new Error(`${this.path} is unplugged`);
    return this.#socat;
  }
}
