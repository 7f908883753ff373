// The suites of test/, and which command runs them.

import * as fs from "node:fs/promises";
import * as path from "node:path";

export interface Suite {
  readonly name: string;
  /** Part of `npm run check`. */
  readonly quick: boolean;
  /** Longest a single file may take, in milliseconds. */
  readonly timeoutMs: number;
  /** Debian packages its tests call. */
  readonly packages: readonly string[];
  /** Wants nats-servers, and the built daemon. */
  readonly real: boolean;
}

export const SUITES: readonly Suite[] = [
  { name: "unit", quick: true, timeoutMs: 60_000, packages: [], real: false },
  { name: "wire", quick: true, timeoutMs: 60_000, packages: [], real: false },
  { name: "contract", quick: true, timeoutMs: 60_000, packages: [], real: false },
  { name: "conformance", quick: false, timeoutMs: 120_000, packages: [], real: false },
  { name: "tools", quick: false, timeoutMs: 120_000, packages: [], real: false },
  {
    name: "page",
    quick: false,
    timeoutMs: 120_000,
    packages: ["chromium", "fonts-dejavu-core", "fonts-wqy-microhei", "socat"],
    real: false,
  },
  {
    name: "integration",
    quick: false,
    timeoutMs: 300_000,
    packages: [
      "openssl",
      "mosquitto-clients",
      "socat",
      "nftables",
      "dbus",
      "strace",
      "mount",
      "e2fsprogs",
      "iproute2",
      "gcc",
      "libc6-dev",
      "libnats-dev",
      "golang-go",
      "golang-github-nats-io-go-nats-dev",
    ],
    real: true,
  },
  {
    name: "image",
    quick: false,
    timeoutMs: 600_000,
    packages: [
      "mmdebstrap",
      "debian-archive-keyring",
      "binutils-x86-64-linux-gnu",
      "binutils-aarch64-linux-gnu",
      "runc",
      "iproute2",
      "python3-yaml",
      "openssl",
      "e2fsprogs",
      "qemu-system-arm",
      "cpio",
      "kmod",
      "xz-utils",
    ],
    real: true,
  },
  { name: "simulation", quick: false, timeoutMs: 600_000, packages: [], real: false },
];

export const ROOT = path.resolve(import.meta.dirname, "../..");

/** The suite's test files, sorted, as paths from the root. */
export async function filesOf(suite: Suite): Promise<string[]> {
  const found = await Array.fromAsync(fs.glob(`test/${suite.name}/**/*.test.ts`, { cwd: ROOT }));
  return found.sort();
}

/** The suite a file belongs to, by its folder. */
export function suiteOf(file: string): Suite | undefined {
  const [top, folder] = path.relative(ROOT, path.resolve(file)).split(path.sep);
  return top === "test" ? SUITES.find(({ name }) => name === folder) : undefined;
}
