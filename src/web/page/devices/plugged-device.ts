// What `GET /api/ports` and its events say of devices, and `POST /api/ports/guess` of one.

export interface PluggedDevice {
  readonly path: string;
  /** Stable as long as the device, or its plug, is the same. */
  readonly identity: string;
  readonly product: string | null;
  readonly driver: string | null;
  /** The port of the settings that it serves; null: none. */
  readonly port: string | null;
  readonly state: string | null;
  /** The program that has it; null: nobody. */
  readonly holder: string | null;
  readonly match: Readonly<Record<string, string>>;
}

export interface Listing {
  readonly devices: readonly PluggedDevice[];
  readonly missing: readonly { readonly port: string; readonly code: string; readonly cause: string }[];
  readonly fault: string | null;
}

/** One entry of `serial` in the settings. */
export type PortSettings = { readonly name: string } & Readonly<Record<string, unknown>>;

export interface Proposal {
  /** 0 … 1 */
  readonly confidence: number;
  readonly why: string;
  readonly serial: PortSettings;
  readonly preview: readonly ({ readonly subject: string; readonly payload: string } | { readonly fault: string })[];
}
