// Breaches of the S2 stream format. Each ends the connection it came by; each message names the byte, what was found and what was
// wanted.

/** The stream does not begin with an identifier: the peer speaks something else, most likely plain text. */
export const S2_NO_IDENTIFIER = "S2_NO_IDENTIFIER";
/** An identifier chunk of another length or text than the two we know. */
export const S2_BAD_IDENTIFIER = "S2_BAD_IDENTIFIER";
/** A chunk of a kind that nobody knows and that must not be skipped. */
export const S2_UNKNOWN_CHUNK = "S2_UNKNOWN_CHUNK";
/** A chunk that announces more than our limit, or than the snappy format allows. */
export const S2_TOO_LARGE = "S2_TOO_LARGE";
/** A chunk or block that contradicts itself. */
export const S2_CORRUPT = "S2_CORRUPT";
/** What a chunk holds does not have the checksum it names. */
export const S2_BAD_CHECKSUM = "S2_BAD_CHECKSUM";
/** The stream ended within a chunk. */
export const S2_CUT_SHORT = "S2_CUT_SHORT";
