// A program that writes into a store on the real disk until it is killed: `node store-writer.ts FOLDER`.
//
// Turn i puts `n <i>` and `last`, and deletes `n <i − 50>`: from `last` it shows what else must be there. After each commit it prints
// the last turn that is safe, one number a line.

import { systemClock } from "#base/clock.ts";
import { systemDisk } from "#base/disk.ts";
import { systemEntropy } from "#base/entropy.ts";
import { silentLog } from "#base/log.ts";
import { openStore } from "#store/open-store.ts";
import { STORE_BYTES_MIN, storeDefaults } from "#store/options.ts";
import type { Mark, Store } from "#store/store.ts";

/** Turns whose `n` is there at any time. */
export const WINDOW = 50;
const TURNS_AT_ONCE = 7;

export async function openReal(folder: string): Promise<Store> {
  const options = { ...storeDefaults(), maxBytes: STORE_BYTES_MIN, freeReserve: 0, commitIntervalMs: 2 };
  const env = { clock: systemClock(), disk: systemDisk(), entropy: systemEntropy(), log: silentLog() };
  return await openStore(folder, options, env, new AbortController().signal);
}

export function lastTurn(store: Store): number {
  const [[, value] = [undefined, undefined]] = store.entries("last");
  return value === undefined ? 0 : Number(value.toString());
}

async function write(folder: string): Promise<void> {
  const store = await openReal(folder);
  let turn = lastTurn(store);
  store.release();
  const marks: { readonly turn: number; readonly mark: Mark }[] = [];
  store.watch((safe) => {
    let last = 0;
    while (marks.length > 0 && marks[0]!.mark <= safe) last = marks.shift()!.turn;
    if (last > 0) process.stdout.write(`${last}\n`);
  });
  setInterval(() => {
    for (let i = 0; i < TURNS_AT_ONCE; i++) {
      turn += 1;
      store.put(`n ${turn}`, Buffer.alloc(200 + (turn % 1000), `${turn}`), turn % 3 === 0 ? "lazy" : "soon");
      store.delete(`n ${turn - WINDOW}`, "lazy");
      marks.push({ turn, mark: store.put("last", Buffer.from(`${turn}`), "soon") });
    }
  }, 1);
}

if (import.meta.main) await write(process.argv[2]!);
