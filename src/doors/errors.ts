// What can go wrong before a connection has a protocol.

/** The certificate, its key or the clients' CA cannot be read or used. */
export const DOOR_TLS_FILES = "DOOR_TLS_FILES";
