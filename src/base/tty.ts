// Serial devices as a seam: the real one is node-serialport (src/ingress/serial/system-tty.ts); tests plug and unplug a fake one,
// while a pty carries the bytes.

/** A serial device as the system sees it. Absent facts are null. */
export interface TtyInfo {
  readonly path: string;
  readonly vendorId: string | null;
  readonly productId: string | null;
  readonly serialNumber: string | null;
  /** Position in the USB tree, such as "1-1.4", stable as long as the plug stays where it is. */
  readonly usbPort: string | null;
  /** The kernel's name of the USB interface, such as "1-1.4:1.2": tells the ports of a multi-port adapter apart. */
  readonly usbInterface: string | null;
}

export interface TtySettings {
  readonly baudRate: number;
  readonly dataBits: 5 | 6 | 7 | 8;
  readonly parity: "none" | "even" | "odd";
  readonly stopBits: 1 | 2;
  readonly rtscts: boolean;
}

/** Disposing hands over what was read already, then closes. */
export interface TtyPort extends AsyncDisposable {
  readonly path: string;
  /** Chunks as they arrive; borrowed until the callback returns. */
  onData(listener: (chunk: Buffer) => void): void;
  /** Called once, when the device is gone or failed and the port is closed; undefined for an end without a fault. */
  onClose(listener: (fault: Error | undefined) => void): void;
  /** Resolves when the bytes have been handed to the device. */
  write(bytes: Buffer): Promise<void>;
  pause(): void;
  resume(): void;
}

export interface Tty {
  /** Every serial device the system knows. */
  list(): Promise<readonly TtyInfo[]>;
  /** The device a path leads to, links followed, or undefined when there is none; also for those `list` does not show, such as ptys. */
  find(path: string): Promise<TtyInfo | undefined>;
  /** Opens with an exclusive lock. Rejects with a `PetioleError` that says in plain words why not. */
  open(path: string, settings: TtySettings): Promise<TtyPort>;
}
