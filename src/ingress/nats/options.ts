// The door for local NATS clients. It does not exist yet; `listen: null` is all the settings take for now.

import { nullable } from "#base/schema.ts";
import { listenAddress } from "#base/schema-text.ts";

export const natsListenOptions = nullable(listenAddress());
