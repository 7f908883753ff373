// One HTTP request and the head of its answer, over a stream that speaks another language afterwards.
//
// Node's own HTTP client is not used: it wants to own the socket, and hides what a peer says that is not HTTP, which is what
// people need to know. Limits in size are the head's (wire/http-head.ts), in time the signal's.

import { addAbortListener } from "node:events";
import type { ByteStream } from "#base/net.ts";
import { type BrokenHead, type ForeignHead, HEAD_BYTES_MAX, type HttpHead, parseHead } from "#wire/http-head.ts";

/** Ended without an answer; `cause` where the system named one. */
interface NoHead {
  readonly is: "ended";
  readonly cause: Error | undefined;
}

/** What came instead of an HTTP answer. */
export type NoAnswer = ForeignHead | BrokenHead | NoHead;
export type Answer = { readonly is: "head"; readonly head: HttpHead } | NoAnswer;

/**
 * Sends `request` and reads the head of the final answer. What follows the head stays in `stream`, to be read by the next
 * owner, who finds it neither paused nor flowing. Throws only the signal's reason.
 */
export async function exchange(stream: ByteStream, request: string, signal: AbortSignal): Promise<Answer> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  let seen: Buffer = Buffer.alloc(0);
  let interimBytes = 0;
  let isOver = false;
  const settle = (answer: Answer) => {
    isOver = true;
    resolve(answer);
  };
  const onReadable = () => {
    while (!isOver) {
      const chunk = stream.read() as Buffer | null;
      if (chunk === null) return;
      seen = Buffer.concat([seen, chunk]); // small: the head is limited
      consider();
    }
  };
  const consider = () => {
    let parse = parseHead(seen);
    while (parse.is === "whole" && isInterim(parse.head)) {
      seen = seen.subarray(parse.head.bytes);
      interimBytes += parse.head.bytes;
      parse = parseHead(seen);
    }
    if (interimBytes > HEAD_BYTES_MAX) settle({ is: "broken", found: "interim answers without an end" });
    else if (parse.is === "whole") {
      if (seen.length > parse.head.bytes) stream.unshift(seen.subarray(parse.head.bytes));
      settle({ is: "head", head: parse.head });
    } else if (parse.is !== "partial") settle(parse);
  };
  const onEnd = () => {
    if (isOver) return;
    const parse = parseHead(seen, true);
    settle(seen.length === 0 || parse.is === "whole" || parse.is === "partial" ? { is: "ended", cause: undefined } : parse);
  };
  const onError = (cause: Error) => settle({ is: "ended", cause });
  using _ = addAbortListener(signal, () => reject(signal.reason));
  stream.on("readable", onReadable).on("end", onEnd).on("close", onEnd).on("error", onError);
  let answer: Answer;
  try {
    if (stream.destroyed) onEnd();
    else stream.write(request, "latin1");
    answer = await promise;
  } finally {
    stream.off("readable", onReadable);
    await nextTick(); // only then is the stream neutral: its next owner's pause, if any, would be undone
    stream.off("end", onEnd).off("close", onEnd).off("error", onError);
  }
  return stream.destroyed && answer.is === "head" ? { is: "ended", cause: stream.errored ?? undefined } : answer;
}

async function nextTick(): Promise<void> {
  await new Promise<void>((resolve) => process.nextTick(resolve));
}

/** 1xx: the final answer follows; but for 101, which is one. */
function isInterim({ status }: HttpHead): boolean {
  return status < 200 && status !== 101;
}

/** Ends a stream that nobody will own; its late errors say nothing new. */
export function discard(stream: ByteStream): void {
  stream.on("error", () => undefined);
  stream.destroy();
}
