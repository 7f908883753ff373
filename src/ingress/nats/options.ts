// The door for local NATS clients: an address, or null for none.

import { nullable } from "#base/schema.ts";
import { listenAddress } from "#base/schema-text.ts";

export const natsListenOptions = nullable(listenAddress());
