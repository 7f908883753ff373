// How long a connection waits for its client, and for how much.

import { HIGH_WATER_BYTES } from "./delivery-deps.ts";

/** Largest packet before the client is let in: a stranger's claim on memory. */
export const CONNECT_BYTES_MAX = 10_240;
/** A whole CONNECT must have come this long after the connection. */
export const CONNECT_TIMEOUT_MS = 10_000;
/** Answers a client may leave unread before we stop reading its questions; deliveries stop far below. */
export const UNREAD_ANSWERS_MAX = HIGH_WATER_BYTES + 1_048_576;
/** After the last byte to a client: how long we wait for it to close before we do. */
export const LINGER_MS = 2_000;
/** Between a message that is refused for lack of room and the end: its client would be back with it at once, again and again. */
export const NO_ROOM_PAUSE_MS = 5_000;
export const KEEP_ALIVE_FACTOR = 1.5;
