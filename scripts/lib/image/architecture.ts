// One processor, three names: Debian's, Node's and GNU's.

export interface Architecture {
  /** Debian's and OCI's. */
  readonly name: "amd64" | "arm64";
  readonly nodeName: "x64" | "arm64";
  /** binutils' strip for it, and the Debian package that has it on another machine. */
  readonly strip: string;
  readonly stripPackage: string;
  readonly qemu: string;
}

export const ARCHITECTURES: Readonly<Record<Architecture["name"], Architecture>> = {
  amd64: {
    name: "amd64",
    nodeName: "x64",
    strip: "x86_64-linux-gnu-strip",
    stripPackage: "binutils-x86-64-linux-gnu",
    qemu: "qemu-x86_64",
  },
  arm64: {
    name: "arm64",
    nodeName: "arm64",
    strip: "aarch64-linux-gnu-strip",
    stripPackage: "binutils-aarch64-linux-gnu",
    qemu: "qemu-aarch64",
  },
};

/** This machine's own. */
export function ownArchitecture(): Architecture {
  return process.arch === "arm64" ? ARCHITECTURES.arm64 : ARCHITECTURES.amd64;
}
