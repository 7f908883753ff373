// The MQTT doors, and what the broker behind them keeps and for how long.

import type { Report } from "#base/fault.ts";
import { duration, fields, flag, integer, list, nullable, oneOf, optional, required, size, type ValueOf } from "#base/schema.ts";
import { listenAddress, parsedText, token } from "#base/schema-text.ts";
import { subjectFilter } from "#core/subject-schema.ts";
import { certificateKeys, certificateOptions, checkCertificates, originKeys } from "#doors/options.ts";

/** The path of a URL, as an upgrade request names it. */
function urlPath() {
  return parsedText<string>('a path such as "/mqtt"', { pattern: "^/[!-~]*$", bytesMax: 256 }, (value) =>
    /[?#]/.test(value) ? { fault: { remedy: "leave out what follows ? or #" } } : { value },
  );
}

export const mqttTlsOptions = fields(
  {
    listen: optional(listenAddress(), "0.0.0.0:8883", "address for MQTT over TLS"),
    ...certificateKeys,
  },
  checkCertificates,
);

export const mqttWebSocketOptions = fields({
  listen: required(listenAddress(), "address for MQTT over WebSocket, such as 0.0.0.0:8083"),
  tls: optional(nullable(certificateOptions), null, "wss:// instead of ws://"),
  path: optional(nullable(urlPath()), null, "the only path that is answered, such as /mqtt; null: any"),
  ...originKeys,
});

const retainedOptions = fields({
  max_messages: optional(integer(0, 1_000_000), 10_000, "retained messages; a new topic beyond them is not retained"),
  max_bytes: optional(size("64KiB", "1GiB"), "16MiB", "bytes of all retained messages, their topics included"),
  readable_from_nats: optional(
    flag(),
    true,
    "requests on $PETIOLE.retained.get.<subject> are answered with the retained message, to those who may receive the subject",
  ),
});

const fromNatsRule = fields({
  subjects: required(list(subjectFilter(), { min: 1, max: 100 }), "filters of the messages meant"),
  qos: required(oneOf([0, 1, 2]), "delivered with this QoS, or the subscription's if that is lower"),
});

const hubMqttOptions = fields({
  retained: optional(
    oneOf(["none", "to_hub", "from_hub", "both"]),
    "none",
    "which way retained messages travel between this broker and the hub's; needs $JS.API.> and $MQTT.> of the account at the hub",
  ),
});

export const mqttOptions = fields(
  {
    listen: optional(
      nullable(listenAddress()),
      "127.0.0.1:1883",
      "address of the MQTT port; 0.0.0.0:1883 opens it to the local network; null: no plain MQTT",
    ),
    tls: optional(nullable(mqttTlsOptions), null, "MQTT over TLS, on a port of its own; null: off"),
    websocket: optional(nullable(mqttWebSocketOptions), null, "MQTT over WebSocket, on a port of its own; null: off"),
    account: optional(
      token("an account name"),
      "EDGE",
      "account of devices that log in without a user (no_auth_user decides whether they may)",
    ),
    max_packet: optional(size("1KiB", "256MiB"), "256KiB", "longest packet; a longer one ends its connection before it is read"),
    max_clients: optional(integer(1, 100_000), 1000, "MQTT connections at the same time"),
    max_connections_per_address: optional(
      nullable(integer(1, 100_000)),
      null,
      "MQTT connections from one address at the same time; null: as many as max_clients",
    ),
    max_logins_per_address: optional(
      integer(1, 100_000),
      128,
      "connections from one address that are not let in yet; this device itself is not limited",
    ),
    max_connect_rate: optional(
      nullable(integer(1, 100_000, "a second")),
      50,
      "new connections a second from one address, ten seconds' worth at once; this device itself is not limited; null: any number",
    ),
    max_inflight: optional(
      integer(1, 65_535),
      20,
      "messages of QoS 1 and 2 on their way to one client; 5.0 clients may ask for fewer",
    ),
    receive_maximum: optional(
      integer(1, 65_535),
      100,
      "messages of QoS 1 and 2 that one client may send before it waits for an answer",
    ),
    max_topic_alias: optional(integer(0, 1000), 32, "topic aliases of one 5.0 client, in each direction; 0: none"),
    server_keep_alive: optional(
      nullable(duration("5s", "18h")),
      null,
      "5.0 clients must show a sign of life so often; null: as they ask",
    ),
    max_session_expiry: optional(duration("0s", "365d"), "7d", "how long a session outlives its connection at most"),
    max_sessions: optional(integer(1, 1_000_000), 10_000, "sessions that outlive their connections"),
    max_sessions_per_user: optional(
      nullable(integer(1, 1_000_000)),
      null,
      "of those, how many one user may have; without a user name: all such clients together; null: as many as max_sessions",
    ),
    max_queued_messages: optional(integer(1, 1_000_000), 10_000, "messages that wait for one client"),
    max_queued_bytes: optional(size("64KiB", "1GiB"), "4MiB", "bytes that wait for one client"),
    max_queued_total: optional(size("1MiB", "16GiB"), "64MiB", "bytes that wait for all clients together"),
    queue_full: optional(
      oneOf(["drop_oldest", "drop_new"]),
      "drop_oldest",
      "what goes when a client's queue is full; counted and told either way",
    ),
    retained: optional(retainedOptions, {}, "the last message of a topic, kept for those who subscribe later"),
    from_nats: optional(
      list(fromNatsRule, { max: 100 }),
      [],
      "QoS of messages that no MQTT client published, first match wins; others have QoS 1",
    ),
    sys_interval: optional(
      nullable(duration("1s", "1d")),
      "10s",
      "how often $SYS/broker/… is published to MQTT clients that subscribed to it; null: never",
    ),
    hub_mqtt: optional(
      nullable(hubMqttOptions),
      null,
      "the hub is a nats-server with a mqtt block: its own MQTT clients get messages of QoS 1 and 2 as such; null: as QoS 0",
    ),
  },
  checkDoors,
);

export type MqttOptions = ValueOf<typeof mqttOptions>;
export type MqttTlsOptions = ValueOf<typeof mqttTlsOptions>;
export type MqttWebSocketOptions = ValueOf<typeof mqttWebSocketOptions>;

function checkDoors(
  { listen, tls, websocket }: { readonly listen: unknown; readonly tls: unknown; readonly websocket: unknown },
  report: Report,
): void {
  if (listen !== null || tls !== null || websocket !== null) return;
  report.fault(["listen"], {
    wanted: "at least one of listen, tls and websocket",
    found: "none of them",
    remedy: "set listen, such as 127.0.0.1:1883; or write null for mqtt as a whole",
  });
}
