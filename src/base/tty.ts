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
  /** What the device calls itself, such as "FTDI FT232R USB UART"; for people only. */
  readonly product?: string | null;
  /** The kernel's driver, such as "ftdi_sio"; for people only. */
  readonly driver?: string | null;
}

export interface TtySettings {
  readonly baudRate: number;
  readonly dataBits: 5 | 6 | 7 | 8;
  readonly parity: "none" | "even" | "odd";
  readonly stopBits: 1 | 2;
  readonly rtscts: boolean;
}

/** What a line has beside its data. Absent: left as it is. `brk`: true holds the line at break until it is set to false. */
export interface LineSignals {
  readonly dtr?: boolean;
  readonly rts?: boolean;
  readonly brk?: boolean;
}

/** Disposing hands over what was read already, then closes. */
export interface TtyPort extends AsyncDisposable {
  readonly path: string;
  /** Chunks as they arrive; borrowed until the callback returns. */
  onData(listener: (chunk: Buffer) => void): void;
  /** Called once, when the device is gone or failed and the port is closed; undefined for an end without a fault. */
  onClose(listener: (fault: Error | undefined) => void): void;
  /** Resolves when the system has taken all the bytes; rejects when the port is closed meanwhile. One at a time. */
  write(bytes: Buffer): Promise<void>;
  /** Rejects when the device has no such lines, as ptys have none. */
  setSignals(signals: LineSignals): Promise<void>;
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
  /**
   * Calls `onHint` when a device may have come or gone, until disposed: a hint that comes early where the system gives one, and never
   * where it does not. Whoever wants to be sure looks at the list as well.
   */
  watch(onHint: () => void): Disposable;
  /** The program that has the device open or locked, such as "minicom (process 812)", or undefined when nobody has or we cannot know. */
  holder(path: string): Promise<string | undefined>;
  /** Takes the power, or at least the bus, from a USB device for a moment. Rejects with a `PetioleError` that says in plain words why not. */
  cyclePower(device: TtyInfo, signal: AbortSignal): Promise<void>;
}
