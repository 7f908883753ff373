// What a 5.0 client is told in CONNACK: limits, and where they are not what it asked for.

import { createHash } from "node:crypto";
import { permits } from "#access/permissions.ts";
import type { Admitted } from "./admission.ts";
import { type ConnectRequest, NEVER_EXPIRES } from "./connect-packet.ts";
import type { ConversationFacts } from "./conversation.ts";
import type { MqttOptions } from "./options.ts";
import type { ConnackFacts } from "./replies.ts";
import { mapTopic } from "./topic.ts";

const UNLIMITED = 65_535;

export function connackFacts(
  request: ConnectRequest,
  admitted: Admitted,
  options: MqttOptions,
  isSessionPresent: boolean,
): ConnackFacts {
  if (request.version !== 5) return { isSessionPresent: isSessionPresent && request.version === 4 }; // 3.1 has that byte reserved
  const { clientId, expirySeconds } = admitted;
  const keepAlive = keepAliveSeconds(request, options);
  const response = request.wantsResponseInformation ? responseTopic(admitted) : undefined;
  return {
    isSessionPresent,
    ...(expirySeconds !== asked(request) && { sessionExpirySeconds: expirySeconds }),
    ...(options.receiveMaximum !== UNLIMITED && { receiveMaximum: options.receiveMaximum }),
    maximumPacketBytes: options.maxPacket,
    ...(request.clientId === "" && { assignedClientId: clientId }),
    ...(options.maxTopicAlias > 0 && { topicAliasMaximum: options.maxTopicAlias }),
    ...(keepAlive !== request.keepAliveSeconds && { serverKeepAliveSeconds: keepAlive }),
    ...(response !== undefined && { responseInformation: response }),
  };
}

/** What holds for both sides as long as the connection does. */
export function conversationFacts(request: ConnectRequest, options: MqttOptions, payloadBytesMax: number): ConversationFacts {
  return {
    version: request.version,
    window: Math.min(request.receiveMaximum, options.maxInflight),
    packetBytesMax: request.maximumPacketBytes,
    topicAliasMax: Math.min(request.topicAliasMaximum, options.maxTopicAlias),
    payloadBytesMax,
    aliasesTaken: options.maxTopicAlias,
    receiveMax: options.receiveMaximum,
  };
}

/** The client's own, or ours where that is shorter [MQTT5-3.2.2-21]. 3.x cannot be told. */
export function keepAliveSeconds(
  { version, keepAliveSeconds: wanted }: ConnectRequest,
  { serverKeepAlive }: MqttOptions,
): number {
  if (version !== 5 || serverKeepAlive === null) return wanted;
  const ours = Math.floor(serverKeepAlive / 1000);
  return wanted === 0 ? ours : Math.min(wanted, ours);
}

function asked({ sessionExpirySeconds }: ConnectRequest): number {
  return sessionExpirySeconds === NEVER_EXPIRES ? Number.POSITIVE_INFINITY : sessionExpirySeconds;
}

/** Below it a client may ask for answers: the same at each connection, and out of sight of `#`. */
function responseTopic({ clientId, user }: Admitted): string | undefined {
  const topic = `_INBOX/mqtt-${createHash("sha256").update(clientId).digest("hex").slice(0, 20)}`;
  const subject = mapTopic(`${topic}/1`);
  return typeof subject === "string" && permits(user.permissions.subscribe, subject) ? topic : undefined;
}
