// A wire of the mind: what is written is heard by the test, what the test says arrives as chunks.

import type { PortWire } from "#ingress/serial/port-wire.ts";

export class FakeWire implements PortWire {
  isOpen = true;
  readonly written: Buffer[] = [];
  /** Called with each write, before it resolves. */
  onWrite: (bytes: Buffer) => void = () => undefined;
  readonly #chunkListeners = new Set<(chunk: Buffer) => void>();
  readonly #changeListeners = new Set<(isOpen: boolean) => void>();

  /** The device speaks. */
  say(bytes: Uint8Array): void {
    const chunk = Buffer.from(bytes);
    for (const listener of this.#chunkListeners) listener(chunk);
    chunk.fill(0xee); // borrowed until the call returned: whoever kept it must have copied it
  }

  set(isOpen: boolean): void {
    this.isOpen = isOpen;
    for (const listener of this.#changeListeners) listener(isOpen);
  }

  get listeners(): number {
    return this.#chunkListeners.size + this.#changeListeners.size;
  }

  async write(bytes: Buffer): Promise<void> {
    if (!this.isOpen) throw new Error("not open");
    this.written.push(Buffer.from(bytes));
    this.onWrite(bytes);
  }

  async drain(): Promise<void> {
    await Promise.resolve();
  }

  async setSignals(): Promise<void> {
    await Promise.resolve();
  }

  onChunk(listener: (chunk: Buffer) => void): Disposable {
    this.#chunkListeners.add(listener);
    return { [Symbol.dispose]: () => void this.#chunkListeners.delete(listener) };
  }

  onChange(listener: (isOpen: boolean) => void): Disposable {
    this.#changeListeners.add(listener);
    return { [Symbol.dispose]: () => void this.#changeListeners.delete(listener) };
  }
}
