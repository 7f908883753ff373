// Every serial port of the settings: is its device there, and is it free for us? Devices are looked for, not opened: opening one resets
// many a board behind it, and the daemon may be using it.

import { isFault } from "#base/errors.ts";
import type { TtyInfo } from "#base/tty.ts";
import { assignDevices } from "#ingress/serial/match.ts";
import type { SerialReport } from "#status/report.ts";
import { DOCTOR_SERIAL, DOCTOR_SERIAL_BUSY } from "../errors.ts";
import { apart, troubleOf } from "../fault-words.ts";
import { broken, DEVICE, type Draft, fine, skipped, type Trouble, warning } from "../finding.ts";
import type { Scene, Step } from "../scene.ts";

export const serialStep: Step = {
  id: "serial",
  title: "the serial ports",
  async run({ probe, config, status }: Scene): Promise<readonly Draft[]> {
    const ports = config?.serial ?? [];
    if (ports.length === 0) return [skipped(DEVICE, "no serial port is set up")];
    if (status !== undefined && status.serial.length > 0) return status.serial.map(ofReport);
    const { tty } = probe.env;
    const byPath = new Map<string, TtyInfo>();
    for (const { match } of ports) {
      const found = match.path === null ? undefined : await tty.find(match.path);
      if (match.path !== null && found !== undefined) byPath.set(match.path, found);
    }
    // As the daemon: who names a path needs no list.
    let devices: readonly TtyInfo[] = [];
    let blindness: Trouble | undefined;
    try {
      if (ports.some(({ match }) => match.path === null)) devices = await tty.list();
    } catch (error) {
      if (!isFault(error)) throw error;
      blindness = troubleOf(error);
    }
    const answers = assignDevices(
      ports.map(({ name, match }) => ({ name, match, held: null })),
      { devices, byPath },
    );
    return await Promise.all(
      answers.map(async (answer, i) => {
        const { name, match } = ports[i]!;
        const about = { target: name, ref: name };
        if (blindness !== undefined && match.path === null) return broken(about, blindness);
        if ("missing" in answer) return broken(about, { code: answer.missing.code, ...apart(answer.missing.text) });
        const { path } = answer.device;
        const holder = await tty.holder(path);
        if (holder === undefined) return fine(about, `${path} is there and free`, { path });
        return broken(about, busy(path, holder), { path, holder });
      }),
    );
  },
};

/** What the daemon says counts more: it has the port open. */
function ofReport({ name, code, cause, degraded, is_silent, path, state }: SerialReport): Draft {
  const about = { target: name, ref: name };
  const facts = { path, state };
  if (cause !== null) return broken(about, { code: code ?? DOCTOR_SERIAL, ...apart(cause) }, facts);
  if (degraded !== null) return warning(about, { code: DOCTOR_SERIAL, ...apart(degraded) }, facts);
  if (is_silent)
    return warning(
      about,
      {
        code: DOCTOR_SERIAL,
        cause: `serial port ${name} is open but silent`,
        remedy: "check the device, the wire and the baud rate",
      },
      facts,
    );
  return fine(about, `${path ?? "the port"} is ${state}`, facts);
}

function busy(path: string, holder: string): Trouble {
  return {
    code: DOCTOR_SERIAL_BUSY,
    cause: `${path} is in use by ${holder}`,
    remedy: "end that program, or give it another device",
  };
}
