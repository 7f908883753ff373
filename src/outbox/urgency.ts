// The classes of messages, by how urgent their way to the hub is (DESIGN §4.2). Each has a lane of its own.

/** Most urgent first. */
export const CLASSES = ["alarm", "state", "telemetry", "bulk"] as const;

export type UrgencyClass = (typeof CLASSES)[number];
