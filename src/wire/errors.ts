// Breaches of the NATS wire grammar. Each ends the connection it came by.

export const WIRE_LINE_TOO_LONG = "WIRE_LINE_TOO_LONG";
export const WIRE_UNKNOWN_OPERATION = "WIRE_UNKNOWN_OPERATION";
export const WIRE_BAD_ARGUMENTS = "WIRE_BAD_ARGUMENTS";
export const WIRE_TOO_LARGE = "WIRE_TOO_LARGE";
export const WIRE_BAD_ENDING = "WIRE_BAD_ENDING";
