// What the broker counts for $SYS/broker/…, and under which topics mosquitto shows it.
//
// A figure that nobody counts yet is absent and has no topic. Counters rise from the start of the broker on; the others are of now.

/** Of all clients together. */
export interface SysFigures {
  /** Clients of now; kept sessions without a connection; kept sessions that ended by age since the start. */
  readonly connected: number;
  readonly disconnected?: number;
  readonly expired?: number;
  /** Most clients connected at the same time since the start. */
  readonly maximum?: number;
  /** Connections taken since the start, MQTT or not; CONNECTs let in. */
  readonly sockets?: number;
  readonly connections?: number;
  /** Packets of any type; PUBLISHes; PUBLISHes not delivered; bytes on the network; bytes of payload in PUBLISHes. */
  readonly packetsIn?: number;
  readonly packetsOut?: number;
  readonly publishesIn: number;
  readonly publishesOut: number;
  readonly publishesDropped: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly publishBytesIn?: number;
  readonly publishBytesOut?: number;
  readonly retained?: number;
  /** Messages held for clients, queued and in flight, and retained; bytes of them. */
  readonly stored?: number;
  readonly storedBytes?: number;
  readonly subscriptions: number;
  readonly sharedSubscriptions?: number;
}

/** Topics without their `$SYS/broker/`. */
export const PLAIN_TOPICS: readonly (readonly [topic: string, read: (figures: SysFigures) => number | undefined])[] = [
  ["clients/connected", ({ connected }) => connected],
  ["clients/active", ({ connected }) => connected],
  ["clients/disconnected", ({ disconnected }) => disconnected],
  ["clients/inactive", ({ disconnected }) => disconnected],
  ["clients/expired", ({ expired }) => expired],
  ["clients/maximum", ({ maximum }) => maximum],
  ["clients/total", ({ connected, disconnected }) => (disconnected === undefined ? undefined : connected + disconnected)],
  ["messages/received", ({ packetsIn }) => packetsIn],
  ["messages/sent", ({ packetsOut }) => packetsOut],
  ["messages/stored", ({ stored }) => stored],
  ["publish/messages/received", ({ publishesIn }) => publishesIn],
  ["publish/messages/sent", ({ publishesOut }) => publishesOut],
  ["publish/messages/dropped", ({ publishesDropped }) => publishesDropped],
  ["publish/bytes/received", ({ publishBytesIn }) => publishBytesIn],
  ["publish/bytes/sent", ({ publishBytesOut }) => publishBytesOut],
  ["bytes/received", ({ bytesIn }) => bytesIn],
  ["bytes/sent", ({ bytesOut }) => bytesOut],
  ["retained messages/count", ({ retained }) => retained],
  ["store/messages/count", ({ stored }) => stored],
  ["store/messages/bytes", ({ storedBytes }) => storedBytes],
  ["subscriptions/count", ({ subscriptions }) => subscriptions],
  ["shared_subscriptions/count", ({ sharedSubscriptions }) => sharedSubscriptions],
];

/** Counters whose rise a minute is shown as a moving average, under `load/…/1min`, `5min` and `15min`. */
export const LOAD_TOPICS: readonly (readonly [topic: string, read: (figures: SysFigures) => number | undefined])[] = [
  ["load/messages/received", ({ packetsIn }) => packetsIn],
  ["load/messages/sent", ({ packetsOut }) => packetsOut],
  ["load/publish/received", ({ publishesIn }) => publishesIn],
  ["load/publish/sent", ({ publishesOut }) => publishesOut],
  ["load/publish/dropped", ({ publishesDropped }) => publishesDropped],
  ["load/bytes/received", ({ bytesIn }) => bytesIn],
  ["load/bytes/sent", ({ bytesOut }) => bytesOut],
  ["load/sockets", ({ sockets }) => sockets],
  ["load/connections", ({ connections }) => connections],
];
