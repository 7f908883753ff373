// Plaintext for S2, made from recipes: the same bytes on every machine. The generators of traffic serve the bench, too.
//
// A recipe is a list of parts, each of which appends bytes; test/fixtures/s2-vectors/README.md explains them.

export interface Part {
  readonly hex?: string;
  readonly utf8?: string;
  readonly fill?: number;
  readonly tile?: string;
  readonly rand?: number;
  readonly pick?: number;
  readonly set?: string;
  readonly copy?: number;
  readonly json?: number;
  readonly lmsg?: number;
  readonly mixed?: number;
  readonly text?: number;
  readonly len?: number;
}

export function bytesOf(recipe: readonly Part[]): Buffer {
  return recipe.reduce((before, part) => Buffer.concat([before, bytesOfPart(part, before)]), Buffer.alloc(0));
}

/** Leaf-node LMSG lines around telemetry. */
export function leafTraffic(seed: number, bytes: number): Buffer {
  const fleet = new Fleet(seed);
  return gather(bytes, () => {
    const device = fleet.next();
    const payload = fleet.reading(device);
    return `LMSG ${subjectOf(device)}.telemetry ${payload.length}\r\n${payload}\r\n`;
  });
}

/** English-looking prose: common words far more often than rare ones. */
export function prose(seed: number, bytes: number): Buffer {
  const random = new XorShift(seed);
  let isStart = true;
  let words = 0;
  return gather(bytes, () => {
    const word = WORDS[random.below(1 + random.below(WORDS.length))]!;
    const shown = isStart ? word[0]!.toUpperCase() + word.slice(1) : word;
    isStart = false;
    words += 1;
    if (words > 5 && random.below(9) === 0) {
      const ending = random.below(6) === 0 ? ".\n\n" : ". ";
      isStart = true;
      words = 0;
      return shown + ending;
    }
    return shown + (random.below(14) === 0 ? ", " : " ");
  });
}

export function noise(seed: number, bytes: number): Buffer {
  const random = new XorShift(seed);
  return Buffer.alloc(bytes).map(() => random.next() & 255) as Buffer;
}

class XorShift {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0 || 1;
  }

  next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (this.#state = x >>> 0);
  }

  below(limit: number): number {
    return this.next() % limit;
  }
}

interface Device {
  readonly id: string;
  readonly line: number;
  temperature: number;
  humidity: number;
  pressure: number;
  battery: number;
  energy: number;
  count: number;
}

/** 64 devices, each on a random walk. */
class Fleet {
  readonly #random: XorShift;
  readonly #devices: Device[];
  time = 1_764_000_000_000;

  constructor(seed: number) {
    const random = (this.#random = new XorShift(seed));
    this.#devices = Array.from({ length: 64 }, (_, i) => ({
      id: digits(100 + i * 7, 4),
      line: 1 + (i % 5),
      temperature: 180 + random.below(90),
      humidity: 350 + random.below(200),
      pressure: 99_000 + random.below(3000),
      battery: 3300 + random.below(800),
      energy: random.below(4_000_000),
      count: random.below(5000),
    }));
  }

  next(): Device {
    const random = this.#random;
    const device = this.#devices[random.below(64)]!;
    this.time += 3 + random.below(40);
    device.count += 1;
    device.temperature += random.below(7) - 3;
    device.humidity += random.below(9) - 4;
    device.pressure += random.below(21) - 10;
    device.energy += random.below(900);
    if (random.below(16) === 0) device.battery -= 1;
    return device;
  }

  reading(device: Device): string {
    const rssi = -(45 + this.#random.below(40));
    return (
      `{"dev":"sensor-${device.id}","ts":${this.time},"seq":${device.count},"temp":${fixed(device.temperature, 1)},` +
      `"hum":${fixed(device.humidity, 1)},"press":${fixed(device.pressure, 2)},"batt":${fixed(device.battery, 3)},` +
      `"energy_wh":${device.energy},"rssi":${rssi},"status":"ok"}`
    );
  }
}

function telemetry(seed: number, bytes: number): Buffer {
  const fleet = new Fleet(seed);
  return gather(bytes, () => `${fleet.reading(fleet.next())}\n`);
}

/** Leaf-node traffic of all kinds: replies, queue groups, headers, binary payloads, control lines. */
function mixedTraffic(seed: number, bytes: number): Buffer {
  const fleet = new Fleet(seed);
  const random = new XorShift(seed ^ 0x5bd1e995);
  const inbox = () => `_INBOX.${Array.from({ length: 22 }, () => ALPHABET[random.below(62)]).join("")}`;
  return gather(bytes, () => {
    const device = fleet.next();
    const subject = subjectOf(device);
    const kind = random.below(20);
    if (kind === 0) return "PING\r\n";
    if (kind === 1) return "PONG\r\n";
    if (kind === 2) return `LS+ ${subject}.cmd.>\r\n`;
    if (kind === 3 || kind === 4) {
      const payload = fleet.reading(device);
      const route = kind === 3 ? `${subject}.get ${inbox()}` : `${subject}.work + ${inbox()} workers archive`;
      return `LMSG ${route} ${payload.length}\r\n${payload}\r\n`;
    }
    if (kind < 8) {
      const headers = `NATS/1.0\r\nNats-Msg-Id: ${device.id}-${device.count}\r\nContent-Type: application/json\r\n\r\n`;
      const payload = fleet.reading(device);
      return `HMSG ${subject}.telemetry ${headers.length} ${headers.length + payload.length}\r\n${headers}${payload}\r\n`;
    }
    if (kind < 11) {
      const payload = Buffer.alloc(24 + random.below(40));
      payload.writeUInt32LE(fleet.time % 2 ** 32, 0);
      payload.writeInt16LE(device.temperature, 4);
      payload.writeInt16LE(device.humidity, 6);
      payload.writeInt32LE(device.pressure, 8);
      for (let i = 12; i < payload.length; i++) payload[i] = random.next() & 255;
      return `LMSG ${subject}.raw ${payload.length}\r\n${payload.toString("latin1")}\r\n`;
    }
    const payload = fleet.reading(device);
    return `LMSG ${subject}.telemetry ${payload.length}\r\n${payload}\r\n`;
  });
}

function bytesOfPart(part: Part, before: Buffer): Buffer {
  const bytes = part.len ?? 0;
  if (part.hex !== undefined) return Buffer.from(part.hex, "hex");
  if (part.utf8 !== undefined) return Buffer.from(part.utf8);
  if (part.fill !== undefined) return Buffer.alloc(bytes, part.fill);
  if (part.tile !== undefined) return Buffer.alloc(bytes, part.tile);
  if (part.rand !== undefined) return noise(part.rand, bytes);
  if (part.pick !== undefined) {
    const random = new XorShift(part.pick);
    return Buffer.alloc(bytes).map(() => part.set!.charCodeAt(random.below(part.set!.length))) as Buffer;
  }
  if (part.copy !== undefined) return Buffer.alloc(bytes, before.subarray(before.length - part.copy));
  if (part.json !== undefined) return telemetry(part.json, bytes);
  if (part.lmsg !== undefined) return leafTraffic(part.lmsg, bytes);
  if (part.mixed !== undefined) return mixedTraffic(part.mixed, bytes);
  if (part.text !== undefined) return prose(part.text, bytes);
  throw new Error(`a recipe has a part of no kind we know: ${JSON.stringify(part)}`);
}

function gather(bytes: number, next: () => string): Buffer {
  const texts: string[] = [];
  for (let length = 0; length < bytes; length += texts.at(-1)!.length) texts.push(next());
  return Buffer.from(texts.join(""), "latin1").subarray(0, bytes);
}

function subjectOf({ line, id }: Device): string {
  return `plant.berlin.line${line}.sensor.${id}`;
}

function digits(value: number, count: number): string {
  return String(value).padStart(count, "0");
}

/** `value` counts units of 10^-places. */
function fixed(value: number, places: number): string {
  const scale = 10 ** places;
  return `${value < 0 ? "-" : ""}${Math.trunc(Math.abs(value) / scale)}.${digits(Math.abs(value) % scale, places)}`;
}

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

const WORDS = (
  "the of and to in a is that for it as was with be by on not he his but at are this have from or had an which you " +
  "water field station river measure system pressure gateway message network record value signal window energy morning market " +
  "bridge letter country winter answer question between another through because against without several possible important " +
  "different together remember temperature communication development understanding information government particular"
).split(" ");
