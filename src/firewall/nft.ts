// The nft program: told JSON, asked for JSON, and its complaints put into words.

import { assert } from "#base/assert.ts";
import { isFault, systemCode } from "#base/errors.ts";
import type { Exec, ExecResult } from "#base/exec.ts";
import type { Json } from "#base/schema.ts";
import { FirewallError } from "./errors.ts";
import { TABLE } from "./nft-json.ts";

/** A transaction takes some 20 ms; a minute means that the kernel's lock is held by something that hangs. */
const TIMEOUT_MS = 60_000;
const COMPLAINT_CHARS_MAX = 400;
/** What Linux takes as one argument (MAX_ARG_STRLEN); ours are a tenth. `nft --file -` opens /dev/stdin, which a socket is not. */
const ARGUMENT_BYTES_MAX = 131_072;

export class Nft {
  readonly #exec: Exec;
  readonly #file: string;

  constructor(exec: Exec, file = "nft") {
    this.#exec = exec;
    this.#file = file;
  }

  /** Carries out one transaction: all of it or nothing. */
  async apply(transaction: Json, signal: AbortSignal): Promise<void> {
    await this.#tell(["--json"], "change the packet filter", transaction, signal);
  }

  /** Asks the kernel whether it would take the transaction, and changes nothing. */
  async check(transaction: Json, signal: AbortSignal): Promise<void> {
    await this.#tell(["--json", "--check"], "check a ruleset", transaction, signal);
  }

  /** Our table as the kernel has it: the list of objects; undefined when there is none. */
  async list(signal: AbortSignal): Promise<readonly Json[] | undefined> {
    const what = "read the packet filter";
    const { status, stdout, stderr } = await this.#run(["--json", "list", "table", TABLE.family, TABLE.name], what, signal);
    if (status === 0) return objectsIn(stdout);
    if (/No such file or directory/.test(stderr)) return undefined;
    throw complaintOf(stderr, what);
  }

  async #tell(args: readonly string[], what: string, transaction: Json, signal: AbortSignal): Promise<void> {
    const text = JSON.stringify(transaction);
    assert(text.length < ARGUMENT_BYTES_MAX, `a transaction of ${text.length} bytes`);
    const { status, stderr } = await this.#run([...args, text], what, signal);
    if (status !== 0) throw complaintOf(stderr, what);
  }

  async #run(args: readonly string[], what: string, signal: AbortSignal): Promise<ExecResult> {
    const request = { file: this.#file, args, timeoutMs: TIMEOUT_MS };
    let result: ExecResult;
    try {
      result = await this.#exec.run(request, signal);
    } catch (error) {
      if (signal.aborted || !isFault(error)) throw error;
      throw startFault(this.#file, what, error);
    }
    if (result.killed === null) return result;
    const why = result.killed === "timeout" ? `did not end within ${TIMEOUT_MS / 1000} s` : "wrote without end";
    throw new FirewallError("FIREWALL_STUCK", `cannot ${what}: ${this.#file} ${why} and was stopped; it is tried again`);
  }
}

function startFault(file: string, what: string, cause: unknown): FirewallError {
  if (systemCode(cause) === "ENOENT") {
    const words = `cannot ${what}: there is no program ${file}; install the package nftables, or set firewall.enabled to false`;
    return new FirewallError("FIREWALL_NO_NFT", words, { cause });
  }
  return new FirewallError("FIREWALL_REFUSED", `cannot ${what}: ${file} cannot be started`, { cause });
}

/** nft's words, by what is meant. Source: strings of nftables 1.0 and 1.1 and of libc. */
function complaintOf(stderr: string, what: string): FirewallError {
  const said = stderr
    .trim()
    .replaceAll(/\s*\n\s*/g, " ")
    .slice(0, COMPLAINT_CHARS_MAX);
  if (/Operation not permitted|must be root/i.test(said)) {
    const remedy = "run it as root, or give the container the capability NET_ADMIN";
    return new FirewallError("FIREWALL_FORBIDDEN", `cannot ${what}: not allowed; ${remedy} (nft: ${said})`);
  }
  if (/No such file or directory|Operation not supported|Protocol not supported|Address family not supported/.test(said)) {
    const remedy = "its kernel was built without a part of nftables that the rules need";
    return new FirewallError("FIREWALL_KERNEL_LACKS", `cannot ${what}: this box's kernel refuses; ${remedy} (nft: ${said})`);
  }
  return new FirewallError("FIREWALL_REFUSED", `cannot ${what}: nft refuses it (${said === "" ? "without a word" : said})`);
}

function objectsIn(text: string): readonly Json[] {
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch (cause) {
    throw new FirewallError("FIREWALL_REFUSED", "cannot read the packet filter: nft's answer is not JSON", { cause });
  }
  const objects = typeof read === "object" && read !== null && "nftables" in read ? read.nftables : undefined;
  if (Array.isArray(objects)) return objects as Json[];
  throw new FirewallError("FIREWALL_REFUSED", "cannot read the packet filter: nft's answer has no list of objects");
}
