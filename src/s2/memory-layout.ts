// The addresses of the module's buffers, as assembly/layout.ts has them (a unit test compares the two).

/** At most ENCODER_INPUT_MAX bytes of plaintext. A stored chunk's header stands right before them, an identifier before that. */
export const ENCODER_INPUT = 393_216;
export const ENCODER_INPUT_MAX = 65_536;
/** A compressed chunk, header first; an identifier stands before it. */
export const ENCODER_OUTPUT = 462_848;
/** The encoder's memory, in pages of 64 KiB: output, and what a piece that does not compress may write before it is given up. */
export const ENCODER_PAGES = 9;

/** What follows a data chunk's checksum; the checksum stands in the 4 bytes before. */
export const DECODER_INPUT = 65_536;
export const DECODER_OUTPUT = 4_325_376;
export const DECODER_OUTPUT_MAX = 4_194_304;
/** The decoder's memory. Pages that no chunk ever needed stay untouched, and the system does not back them. */
export const DECODER_PAGES = 131;
