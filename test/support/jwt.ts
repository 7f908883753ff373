// Operators, accounts and users as `nsc` would make them: nkeys, signed JWTs, credentials files, and a server's configuration.
//
//   const operator = new TestOperator();
//   const account = operator.account("APP");
//   const creds = account.user("gw-1", { exp: … }).creds;   // for a file
//   … NatsServer.start({ config: operator.serverConfig([account]) })
//
// Encodes by itself and shares no line with src/uplink/nkey.ts, so that one can judge the other.

import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const KINDS = { operator: 14 << 3, account: 0, user: 20 << 3, server: 13 << 3 } as const;
type Kind = keyof typeof KINDS;

/** One nkey: its seed `S?…`, its public key, and its signature. */
export class TestNkey {
  readonly seed: string;
  readonly publicKey: string;
  readonly #key: KeyObject;

  constructor(kind: Kind) {
    const { privateKey } = generateKeyPairSync("ed25519");
    const { d, x } = privateKey.export({ format: "jwk" });
    this.#key = privateKey;
    const prefix = KINDS[kind];
    this.seed = encode([(18 << 3) | (prefix >> 5), (prefix & 31) << 3], Buffer.from(d!, "base64url"));
    this.publicKey = encode([prefix], Buffer.from(x!, "base64url"));
  }

  sign(text: string): string {
    return sign(null, Buffer.from(text), this.#key).toString("base64url");
  }

  verifies(text: string, signature: string): boolean {
    const wanted = sign(null, Buffer.from(text), createPrivateKey(this.#key.export({ format: "pem", type: "pkcs8" })));
    return createPublicKey(this.#key).asymmetricKeyType === "ed25519" && wanted.toString("base64url") === signature;
  }
}

export type Claims = Readonly<Record<string, unknown>>;

export interface TestUser {
  readonly jwt: string;
  readonly key: TestNkey;
  /** The credentials file. */
  readonly creds: string;
}

export class TestAccount {
  readonly name: string;
  readonly key = new TestNkey("account");
  readonly jwt: string;

  constructor(name: string, operator: TestNkey, nats: Claims = {}) {
    this.name = name;
    const limits = { subs: -1, data: -1, payload: -1, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
    this.jwt = signedJwt(operator, { sub: this.key.publicKey, name, nats: { type: "account", version: 2, limits, ...nats } });
  }

  /** `top` goes beside `sub` (`exp`, `nbf`), `nats` into the claims of NATS. */
  user(name: string, top: Claims = {}, nats: Claims = {}): TestUser {
    const key = new TestNkey("user");
    const claims = { type: "user", version: 2, subs: -1, data: -1, payload: -1, pub: {}, sub: {}, ...nats };
    const jwt = signedJwt(this.key, { sub: key.publicKey, name, ...top, nats: claims });
    return { jwt, key, creds: credsFile(jwt, key.seed) };
  }
}

export class TestOperator {
  readonly key = new TestNkey("operator");
  readonly system: TestAccount;
  readonly jwt: string;

  constructor() {
    this.system = new TestAccount("SYS", this.key);
    const nats = { type: "operator", version: 2, system_account: this.system.key.publicKey };
    this.jwt = signedJwt(this.key, { sub: this.key.publicKey, name: "OP", nats });
  }

  account(name: string, nats: Claims = {}): TestAccount {
    return new TestAccount(name, this.key, nats);
  }

  /** For NatsServer: operator mode with these accounts. */
  serverConfig(accounts: readonly TestAccount[]): Claims {
    const all = [this.system, ...accounts];
    return {
      operator: this.jwt,
      system_account: this.system.key.publicKey,
      resolver: "MEMORY",
      resolver_preload: Object.fromEntries(all.map((account) => [account.key.publicKey, account.jwt])),
    };
  }
}

/** As `nsc generate creds` prints it. */
export function credsFile(jwt: string, seed: string): string {
  return `-----BEGIN NATS USER JWT-----
${jwt}
------END NATS USER JWT------

************************* IMPORTANT *************************
NKEY Seed printed below can be used to sign and prove identity.
NKEYs are sensitive and should be treated as secrets.

-----BEGIN USER NKEY SEED-----
${seed}
------END USER NKEY SEED------

*************************************************************
`;
}

function signedJwt(issuer: TestNkey, claims: Claims): string {
  const body = { iat: Math.floor(Date.now() / 1000) - 60, iss: issuer.publicKey, ...claims };
  const jti = createHash("sha256").update(JSON.stringify(body)).digest("hex");
  const parts = [
    { typ: "JWT", alg: "ed25519-nkey" },
    { jti, ...body },
  ];
  const text = parts.map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  return `${text}.${issuer.sign(text)}`;
}

function encode(prefix: readonly number[], raw: Buffer): string {
  const body = Buffer.from([...prefix, ...raw]);
  let crc = 0;
  for (const bit of bitsOf(body)) {
    const isOver = (crc >> 15) & 1;
    crc = (crc << 1) & 0xffff;
    if ((isOver ^ bit) === 1) crc ^= 0x1021;
  }
  const bits = [...bitsOf(Buffer.from([...body, crc & 255, crc >> 8]))];
  let text = "";
  for (let at = 0; at < bits.length; at += 5) {
    let value = 0;
    for (let i = 0; i < 5; i++) value = value * 2 + (bits[at + i] ?? 0);
    text += ALPHABET[value];
  }
  return text;
}

function* bitsOf(bytes: Buffer): Iterable<number> {
  for (const byte of bytes) for (let i = 7; i >= 0; i--) yield (byte >> i) & 1;
}
