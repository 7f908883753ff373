// The second thread, which sees that the first one stands still, says where, keeps it for the next run, and ends the process.
//
// It is handed over as text (loop-watch.ts), so that it starts with nothing but itself, whatever file the daemon is bundled into: it uses
// nothing from outside but types. It has no seams either: it is the part that is left when those stand still.

import type { BlackBoxLayout, blackBoxLines } from "./black-box.ts";
import type { CrashRecord } from "./crash-record.ts";

export interface LoopThreadData {
  readonly shared: SharedArrayBuffer;
  readonly layout: BlackBoxLayout;
  readonly lookMs: number;
  /** Looks in a row without a beat that end the process. */
  readonly looksMax: number;
  /** For the first thread to say where it stands: on a slow board the debugger takes its time. */
  readonly stackMs: number;
  readonly recordMs: number;
  /** null: there is no place for the record. */
  readonly recordFile: string | null;
  readonly version: string;
  readonly inRow: number;
}

export function loopThread(linesOf: typeof blackBoxLines): void {
  const { workerData } = process.getBuiltinModule("node:worker_threads");
  const fs = process.getBuiltinModule("node:fs");
  const { Session } = process.getBuiltinModule("node:inspector");
  const { shared, layout, ...data } = workerData as LoopThreadData;
  const cells = new Int32Array(shared, 0, layout.textAt / 4);
  const { beat, end } = layout.cells;
  let last = -1;
  let looks = 0;

  const look = () => {
    const now = Atomics.load(cells, beat);
    looks = now === last ? looks + 1 : 0;
    last = now;
    if (looks >= data.looksMax) return whereItStands(finish);
    if (Atomics.wait(cells, end, 0, data.lookMs) !== "timed-out") return; // the daemon closes
    setImmediate(look); // a turn of our own loop: the thread can be ended between two looks
  };

  /** The functions that are on the first thread's stack, innermost first; "" when it does not even stop for a debugger. */
  function whereItStands(then: (stack: string) => void): void {
    let isTold = false;
    const tell = (stack: string) => {
      if (isTold) return;
      isTold = true;
      then(stack);
    };
    // biome-ignore lint/style/noRestrictedGlobals: no seam lives in this thread
    setTimeout(tell, data.stackMs, "");
    try {
      const session = new Session();
      session.connectToMainThread();
      session.on("Debugger.paused", ({ params }) => {
        const frames = params.callFrames.slice(0, 12).map(({ functionName, location }) => {
          return `${functionName || "(anonymous)"}:${location.lineNumber + 1}:${(location.columnNumber ?? 0) + 1}`;
        });
        tell(frames.join(" < "));
      });
      session.post("Debugger.enable");
      session.post("Debugger.pause");
    } catch {
      tell(""); // somebody debugs it already
    }
  }

  function finish(stack: string): void {
    const seconds = Math.round((data.looksMax * data.lookMs) / 1000);
    const reason = `the event loop stood still for ${seconds} s${stack === "" ? "" : `, in ${stack}`}`;
    // biome-ignore lint/style/noRestrictedGlobals: no seam lives in this thread
    const at = new Date().toISOString();
    say(`${at} error watchdog ${reason}; the process ends and is started anew`);
    const uptimeSeconds = Math.round(performance.now() / 1000); // as old as the daemon
    const { version, inRow, recordFile } = data;
    const record: CrashRecord = { kind: "loop", reason, at, version, uptimeSeconds, inRow, log: linesOf(shared, layout) };
    const die = () => process.kill(process.pid, "SIGKILL");
    // biome-ignore lint/style/noRestrictedGlobals: no seam lives in this thread
    setTimeout(die, data.recordMs); // the disk may be what hangs
    if (recordFile === null) return void die();
    const bytes = `${JSON.stringify(record)}\n`;
    fs.promises
      .writeFile(`${recordFile}.new`, bytes, { mode: 0o600, flush: true })
      .then(() => fs.promises.rename(`${recordFile}.new`, recordFile))
      .then(die, die);
  }

  function say(line: string): void {
    try {
      fs.writeSync(2, `${line}\n`);
    } catch {
      // nobody reads it
    }
  }

  look();
}
