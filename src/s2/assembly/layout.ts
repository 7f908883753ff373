// @ts-nocheck: AssemblyScript, checked by its own compiler in the build and in test/unit/s2/module.test.ts
// Where things lie in the module's memory. Two instances of the module run, each with a memory of its own: one only encodes, one
// only decodes, so the buffers of either may use the same addresses. Nothing is ever allocated.
//
//   0 ─ swizzles ─ crc tables ─ crc scratch ─┬─ 64 KiB: match tables ─ 384 KiB: input ─ output       the encoder's
//                                            └─ 64 KiB: input ──────── 4 MiB + …: output             the decoder's
//
// src/s2/memory-layout.ts repeats what JavaScript must know; the unit test compares them.

/** 16 rows of 16 bytes: row `offset`, entry i, is i mod offset. Row 0 is not used. */
export const SWIZZLES: u32 = 1024;
/** Sixteen tables of 256 words. */
export const CRC_TABLES: u32 = 2048;
/** 209 words of 16 bytes of history, then a tile of 512, then the 209 words that remain, then 55. */
export const CRC_SCRATCH: u32 = 20480;

/** The fast level's only table; the short table of "better". 2^14 slots of 16 bits. */
export const SHORT_TABLE: u32 = 65536;
/** The long table of "better": 2^15 slots. The chain heads of "best": 2^15 slots. */
export const LONG_TABLE: u32 = 98304;
/** The chains of "best": for each position the one before it with the same hash. 65,536 slots. */
export const CHAIN: u32 = 163840;

/** At most 64 KiB of plaintext, 64 free bytes before it (where a stored chunk's header goes), 128 behind it. */
export const ENCODER_INPUT: u32 = 393216;
export const ENCODER_INPUT_MAX: u32 = 65536;
/** One chunk, its header included; 64 free bytes before it (where the identifier goes). */
export const ENCODER_OUTPUT: u32 = 462848;

/** A data chunk's body begins 4 bytes before this with its checksum; what follows is aligned. */
export const DECODER_INPUT: u32 = 65536;
export const DECODER_OUTPUT: u32 = 4325376;
export const DECODER_OUTPUT_MAX: u32 = 4194304;
