// Why a link ended or could not be made. Each has a sentence for people in the message and a delay in rejection.ts.

export const LEAF_DIAL_FAILED = "LEAF_DIAL_FAILED";
export const LEAF_TLS_FAILED = "LEAF_TLS_FAILED";
export const LEAF_TLS_CLOCK = "LEAF_TLS_CLOCK";
export const LEAF_TLS_CLIENT = "LEAF_TLS_CLIENT";
export const LEAF_TLS_PIN = "LEAF_TLS_PIN";
export const LEAF_TIMEOUT = "LEAF_TIMEOUT";
export const LEAF_WRONG_PORT = "LEAF_WRONG_PORT";
export const LEAF_NOT_NATS = "LEAF_NOT_NATS";
export const LEAF_STALE = "LEAF_STALE";
export const LEAF_UNHEARD = "LEAF_UNHEARD";
export const LEAF_CLOSED = "LEAF_CLOSED";
export const LEAF_LOOP = "LEAF_LOOP";
export const LEAF_SAME_CLUSTER = "LEAF_SAME_CLUSTER";
export const LEAF_MIN_VERSION = "LEAF_MIN_VERSION";
export const LEAF_PERMISSION = "LEAF_PERMISSION";
export const LEAF_DUPLICATE = "LEAF_DUPLICATE";
export const LEAF_AUTH_REJECTED = "LEAF_AUTH_REJECTED";
export const LEAF_HUB_ERROR = "LEAF_HUB_ERROR";
export const LEAF_STOPPED = "LEAF_STOPPED";
export const LEAF_CREDENTIALS = "LEAF_CREDENTIALS";
