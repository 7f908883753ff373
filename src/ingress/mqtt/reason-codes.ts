// Reason codes of MQTT 5.0 (OASIS 5.0 §2.4), and what becomes of them for a client that speaks 3.x.

export const REASON = {
  success: 0x00,
  grantedQos1: 0x01,
  grantedQos2: 0x02,
  disconnectWithWill: 0x04,
  noMatchingSubscribers: 0x10,
  noSubscriptionExisted: 0x11,
  continueAuthentication: 0x18,
  reAuthenticate: 0x19,
  unspecifiedError: 0x80,
  malformedPacket: 0x81,
  protocolError: 0x82,
  implementationError: 0x83,
  unsupportedVersion: 0x84,
  clientIdNotValid: 0x85,
  badCredentials: 0x86,
  notAuthorized: 0x87,
  serverUnavailable: 0x88,
  serverBusy: 0x89,
  banned: 0x8a,
  serverShuttingDown: 0x8b,
  badAuthenticationMethod: 0x8c,
  keepAliveTimeout: 0x8d,
  sessionTakenOver: 0x8e,
  topicFilterInvalid: 0x8f,
  topicNameInvalid: 0x90,
  packetIdInUse: 0x91,
  packetIdNotFound: 0x92,
  receiveMaximumExceeded: 0x93,
  topicAliasInvalid: 0x94,
  packetTooLarge: 0x95,
  messageRateTooHigh: 0x96,
  quotaExceeded: 0x97,
  administrativeAction: 0x98,
  payloadFormatInvalid: 0x99,
  retainNotSupported: 0x9a,
  qosNotSupported: 0x9b,
  useAnotherServer: 0x9c,
  serverMoved: 0x9d,
  sharedSubscriptionsNotSupported: 0x9e,
  connectionRateExceeded: 0x9f,
  maximumConnectTime: 0xa0,
  subscriptionIdsNotSupported: 0xa1,
  wildcardSubscriptionsNotSupported: 0xa2,
} as const;

/** Of failures: from here on a reason means that it did not work. */
export const FAILURE_MIN = 0x80;

const UNACCEPTABLE_VERSION = 1;
const IDENTIFIER_REJECTED = 2;
const SERVER_UNAVAILABLE = 3;
const BAD_CREDENTIALS = 4;
const NOT_AUTHORIZED = 5;

/** The CONNACK return code of 3.1 and 3.1.1 (table 3.1 there) that comes nearest. */
export function returnCodeOf(reason: number): number {
  switch (reason) {
    case REASON.success:
      return 0;
    case REASON.unsupportedVersion:
      return UNACCEPTABLE_VERSION;
    case REASON.clientIdNotValid:
      return IDENTIFIER_REJECTED;
    case REASON.badCredentials:
      return BAD_CREDENTIALS;
    case REASON.unspecifiedError:
    case REASON.implementationError:
    case REASON.serverUnavailable:
    case REASON.serverBusy:
    case REASON.serverShuttingDown:
    case REASON.quotaExceeded:
    case REASON.connectionRateExceeded:
    case REASON.useAnotherServer:
    case REASON.serverMoved:
      return SERVER_UNAVAILABLE;
    default:
      return NOT_AUTHORIZED;
  }
}
