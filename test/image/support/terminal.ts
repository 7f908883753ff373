// A serial device that is plugged into a running container: a pseudo-terminal of the container's own /dev/pts, made from outside.

import { SpawnedProcess } from "../../support/processes.ts";

/** Unlocks the terminal (TIOCSPTLCK), tells its number (TIOCGPTN), passes on what it is given. */
const DEVICE = `
import fcntl, os, struct, sys
end = os.open(sys.argv[1] + "/ptmx", os.O_RDWR | os.O_NOCTTY)
fcntl.ioctl(end, 0x40045431, struct.pack("i", 0))
print("terminal", struct.unpack("i", fcntl.ioctl(end, 0x80045430, bytes(4)))[0], flush=True)
for line in sys.stdin: os.write(end, line.encode())
`;

/** `pid`: a process inside, whose /dev/pts it is. */
export async function plugIn(pid: number): Promise<{ readonly device: SpawnedProcess; readonly path: string }> {
  const device = await SpawnedProcess.start("python3", ["-c", DEVICE, `/proc/${pid}/root/dev/pts`]);
  const [, number] = await device.says(/^terminal (\d+)$/m);
  return { device, path: `/dev/pts/${number}` };
}
