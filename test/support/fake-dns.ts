// A DNS server on a loopback address (UDP, RFC 1035) that says what the test wants, or nothing.
//
//   await using dns = await FakeDns.listen("127.0.0.1");
//   dns.says("hub.example.com", "A", "192.0.2.1");
//   dns.says("hub.example.com", "AAAA", "silence");
//   // questions for names it was not told of: NXDOMAIN

import * as dgram from "node:dgram";

type Type = "A" | "AAAA";
type Answer = readonly string[] | "no-data" | "no-name" | "failure" | "refused" | "silence";

const TYPES: ReadonlyMap<number, Type> = new Map([
  [1, "A"],
  [28, "AAAA"],
]);
const CODES = { "no-data": 0, failure: 2, "no-name": 3, refused: 5 } as const;

export class FakeDns implements AsyncDisposable {
  /** Every question in order: `A hub.example.com`. */
  readonly asked: string[] = [];
  readonly #socket: dgram.Socket;
  readonly #answers = new Map<string, Answer>();
  readonly #onAsked: (() => void)[] = [];

  static async listen(address: string, port = 0): Promise<FakeDns> {
    const socket = dgram.createSocket("udp4");
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once("error", reject).bind(port, address, resolve);
    await promise;
    return new FakeDns(socket);
  }

  private constructor(socket: dgram.Socket) {
    this.#socket = socket;
    socket.on("message", (question, from) => this.#onQuestion(question, from));
  }

  get port(): number {
    return this.#socket.address().port;
  }

  says(name: string, type: Type, answer: Answer | string): void {
    const words: readonly string[] = ["no-data", "no-name", "failure", "refused", "silence"];
    const isWord = typeof answer !== "string" || words.includes(answer);
    this.#answers.set(`${type} ${name}`, isWord ? (answer as Answer) : [answer as string]);
  }

  /** Resolves when `question` has been asked. */
  async hears(question: string): Promise<void> {
    while (!this.asked.includes(question)) await new Promise<void>((resolve) => this.#onAsked.push(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
  }

  #onQuestion(question: Buffer, from: dgram.RemoteInfo): void {
    const labels: string[] = [];
    let at = 12;
    while (question[at]! > 0) {
      labels.push(question.toString("latin1", at + 1, at + 1 + question[at]!));
      at += 1 + question[at]!;
    }
    const type = TYPES.get(question.readUInt16BE(at + 1));
    const asked = `${type} ${labels.join(".").toLowerCase()}`;
    this.asked.push(asked);
    for (const tell of this.#onAsked.splice(0)) tell();
    const answer = this.#answers.get(asked) ?? "no-name";
    if (answer === "silence") return;
    const addresses = typeof answer === "string" ? [] : answer;
    const head = Buffer.alloc(12);
    question.copy(head, 0, 0, 2);
    head.writeUInt16BE(0x8180 | (typeof answer === "string" ? CODES[answer] : 0), 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(addresses.length, 6);
    const records = addresses.map((address) => recordOf(type === "AAAA" ? 28 : 1, bytesOf(address)));
    this.#socket.send(Buffer.concat([head, question.subarray(12, at + 5), ...records]), from.port, from.address);
  }
}

/** Name by pointer to the question, class IN, 60 seconds. */
function recordOf(type: number, data: Buffer): Buffer {
  const record = Buffer.from([0xc0, 0x0c, 0, type, 0, 1, 0, 0, 0, 60, 0, data.length]);
  return Buffer.concat([record, data]);
}

function bytesOf(address: string): Buffer {
  if (!address.includes(":")) return Buffer.from(address.split(".").map(Number));
  const [front = "", back = ""] = address.split("::");
  const groups = (text: string) => (text === "" ? [] : text.split(":"));
  const missing = 8 - groups(front).length - groups(back).length;
  const all = [...groups(front), ...Array.from({ length: missing }, () => "0"), ...groups(back)];
  return Buffer.from(all.map((group) => group.padStart(4, "0")).join(""), "hex");
}
