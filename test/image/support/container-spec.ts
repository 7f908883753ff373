// What a container engine makes of a service of our composition: the OCI runtime configuration, as Docker's engine and balena's write it.

import { readFileSync } from "node:fs";
import type { ComposeService } from "./yaml.ts";

export interface ContainerPlaces {
  readonly root: string;
  readonly entrypoint: readonly string[];
  readonly env: readonly string[];
  /** Network namespace that stands for the host's network. */
  readonly network: string;
  /** Folder of the machine for each named volume. */
  readonly volumes: Readonly<Record<string, string>>;
  /** Folder with hosts, hostname and resolv.conf, which an engine lays over the image's. */
  readonly etc: string;
}

/** Every right there is in Linux 6, in the order of their numbers. */
const ALL_RIGHTS =
  "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE";
/** What an engine gives any other container. */
const USUAL_RIGHTS =
  "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE";

export function containerSpec(service: ComposeService, places: ContainerPlaces): unknown {
  const isPrivileged = service.privileged === true;
  const wanted = isPrivileged ? ALL_RIGHTS : [USUAL_RIGHTS, ...(service.cap_add ?? [])].join(" ");
  const rights = wanted.split(" ").flatMap((name) => (isOurs(name) ? [`CAP_${name}`] : []));
  const environment = Object.entries(service.environment ?? {}).map(([name, value]) => `${name}=${value}`);
  return {
    ociVersion: "1.0.2",
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args: places.entrypoint,
      env: [...places.env, ...environment],
      cwd: "/",
      capabilities: { bounding: rights, effective: rights, permitted: rights },
      noNewPrivileges: false,
    },
    root: { path: places.root, readonly: service.read_only === true },
    hostname: "box",
    mounts: [...systemMounts(isPrivileged), ...etcMounts(places.etc), ...volumeMounts(service, places), ...memoryMounts(service)],
    linux: {
      namespaces: [
        { type: "pid" },
        { type: "ipc" },
        { type: "uts" },
        { type: "mount" },
        { type: "network", path: places.network },
      ],
      resources: { devices: devices(isPrivileged) },
      ...(isPrivileged ? {} : { maskedPaths: ["/proc/kcore", "/sys/firmware"], readonlyPaths: ["/proc/sys", "/proc/bus"] }),
    },
  };
}

/** Nobody can give what he has not: a test machine that is a container itself may lack some. */
function isOurs(name: string): boolean {
  const [, own = "0"] = /^CapEff:\s+(\w+)$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  return ((BigInt(`0x${own}`) >> BigInt(ALL_RIGHTS.split(" ").indexOf(name))) & 1n) === 1n;
}

function systemMounts(isPrivileged: boolean): unknown[] {
  const plain = ["nosuid", "noexec", "nodev"];
  return [
    { destination: "/proc", type: "proc", source: "proc", options: plain },
    { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "strictatime", "mode=755", "size=65536k"] },
    {
      destination: "/dev/pts",
      type: "devpts",
      source: "devpts",
      options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    },
    { destination: "/sys", type: "sysfs", source: "sysfs", options: [...plain, isPrivileged ? "rw" : "ro"] },
    { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: plain },
    { destination: "/dev/shm", type: "tmpfs", source: "shm", options: [...plain, "mode=1777", "size=65536k"] },
  ];
}

function etcMounts(folder: string): unknown[] {
  return ["hosts", "hostname", "resolv.conf"].map((name) => bind(`${folder}/${name}`, `/etc/${name}`));
}

function volumeMounts(service: ComposeService, places: ContainerPlaces): unknown[] {
  return (service.volumes ?? []).map((volume) => {
    const [name = "", target = ""] = volume.split(":");
    return bind(places.volumes[name]!, target);
  });
}

function memoryMounts(service: ComposeService): unknown[] {
  const options = ["noexec", "nosuid", "nodev", "mode=1777"];
  return (service.tmpfs ?? []).map((destination) => ({ destination, type: "tmpfs", source: "tmpfs", options }));
}

function bind(source: string, destination: string): unknown {
  return { destination, type: "bind", source, options: ["rbind", "rprivate"] };
}

/** Not privileged: the harmless ones, and terminals of the container's own. */
function devices(isPrivileged: boolean): unknown[] {
  if (isPrivileged) return [{ allow: true, access: "rwm" }];
  const harmless = [3, 5, 7, 8, 9].map((minor) => ({ allow: true, type: "c", major: 1, minor, access: "rwm" }));
  const terminals = [
    { allow: true, type: "c", major: 5, minor: 0, access: "rwm" },
    { allow: true, type: "c", major: 5, minor: 2, access: "rwm" },
    { allow: true, type: "c", major: 136, access: "rwm" },
  ];
  return [{ allow: false, access: "rwm" }, { allow: true, type: "c", access: "m" }, ...harmless, ...terminals];
}
