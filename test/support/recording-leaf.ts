// Writes down what a leaf parser said, one line an event, so that two ways of feeding it can be compared.

import { GROUPS, GROUPS_END, headersOf, payloadOf, replyOf, routedSubjectOf, SPAN_WORDS, subjectOf } from "#core/batch.ts";
import { type LeafHandler, LeafParser } from "#wire/leaf-parser.ts";

export function recordingLeaf(): { readonly parser: LeafParser; readonly heard: string[] } {
  const heard: string[] = [];
  const handler: LeafHandler = {
    onBatch(batch) {
      for (let i = 0; i < batch.count; i++) {
        const at = i * SPAN_WORDS;
        const groups = batch.bytes.latin1Slice(batch.spans[at + GROUPS]!, batch.spans[at + GROUPS_END]!);
        const via = routedSubjectOf(batch, i) === subjectOf(batch, i) ? "" : `via ${routedSubjectOf(batch, i)} `;
        heard.push(
          `${via}msg ${JSON.stringify([subjectOf(batch, i), replyOf(batch, i), groups, headersOf(batch, i).toString("latin1"), payloadOf(batch, i).toString("latin1")])}`,
        );
      }
    },
    onInterest: (filter, queue, weight) => heard.push(`ls+ ${filter} ${queue} ${weight}`),
    onInterestGone: (filter, queue) => heard.push(`ls- ${filter} ${queue}`),
    onPing: () => heard.push("ping"),
    onPong: () => heard.push("pong"),
    onInfo: (json) => heard.push(`info ${json}`),
    onError: (text) => heard.push(`err ${text}`),
  };
  return { parser: new LeafParser(handler), heard };
}

/** Everything heard when `bytes` come in chunks that end at `cuts`. Chunks are copies, overwritten after use: nothing may be kept of them. */
export function hearCut(bytes: Buffer, cuts: readonly number[]): string[] {
  const { parser, heard } = recordingLeaf();
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    const chunk = Buffer.from(bytes.subarray(from, to));
    parser.parse(chunk);
    chunk.fill(0x58);
    from = to;
  }
  return heard;
}
