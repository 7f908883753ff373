// A real HTTP proxy that does CONNECT, on loopback; and a bad one, as asked.
//
//   await using proxy = await HttpProxy.listen({ login: { username: "gw", password: "pw" } });
//   // proxy.endpoint, proxy.url, proxy.targets …

import * as net from "node:net";

export interface ProxyManners {
  /** Asked of everybody; without it: nobody is asked. */
  readonly login?: { readonly username: string; readonly password: string };
  /** Sent instead of what belongs there; the connection ends with it. */
  readonly answers?: string | Buffer;
  /** Takes the request and says nothing. */
  readonly isSilent?: boolean;
  /** Keeps its header back until the target has spoken, and sends both in one piece. */
  readonly isGluing?: boolean;
  /** Sends its header in pieces of one byte. */
  readonly isCrumbling?: boolean;
}

export class HttpProxy implements AsyncDisposable {
  readonly endpoint: { readonly host: string; readonly port: number };
  /** What was asked for, refused or not: `127.0.0.1:7422`. */
  readonly targets: string[] = [];
  /** Whole heads of the requests. */
  readonly requests: string[] = [];
  /** Tunnels that were opened. */
  tunnels = 0;
  /** Of the tunnels' own ends: what a target sees as the peer's port. */
  readonly ports = new Set<number>();
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  readonly #manners: ProxyManners;

  static async listen(manners: ProxyManners = {}): Promise<HttpProxy> {
    const server = net.createServer({ noDelay: true, pauseOnConnect: true });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once("error", reject).listen(0, "127.0.0.1", resolve);
    await promise;
    return new HttpProxy(server, manners);
  }

  private constructor(server: net.Server, manners: ProxyManners) {
    this.#server = server;
    this.#manners = manners;
    this.endpoint = { host: "127.0.0.1", port: (server.address() as net.AddressInfo).port };
    server.on("connection", (near) => this.#accept(near));
  }

  get url(): string {
    return `http://127.0.0.1:${this.endpoint.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #accept(near: net.Socket): void {
    this.#own(near);
    let seen = Buffer.alloc(0);
    const onData = (chunk: Buffer) => {
      seen = Buffer.concat([seen, chunk]);
      const end = seen.indexOf("\r\n\r\n");
      if (end < 0) return;
      near.off("data", onData).pause();
      if (seen.length > end + 4) near.unshift(seen.subarray(end + 4));
      this.#answer(near, seen.toString("latin1", 0, end + 4));
    };
    near.on("data", onData).resume();
  }

  #answer(near: net.Socket, request: string): void {
    this.requests.push(request);
    const { isSilent, answers, login } = this.#manners;
    const target = /^CONNECT (\S+):(\d+) HTTP\/1\.1\r\n/.exec(request);
    if (target !== null) this.targets.push(`${target[1]}:${target[2]}`);
    if (isSilent) return;
    if (answers !== undefined) near.end(answers);
    else if (target === null) this.#refuse(near, "405 Method Not Allowed");
    else if (login !== undefined && passwordOf(request) !== `${login.username}:${login.password}`) {
      this.#refuse(near, '407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="proxy"');
    } else this.#tunnel(near, target[1]!.replaceAll(/[[\]]/g, ""), Number(target[2]));
  }

  #refuse(near: net.Socket, status: string): void {
    near.end(`HTTP/1.1 ${status}\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n`);
  }

  #tunnel(near: net.Socket, host: string, port: number): void {
    const far = net.connect({ host, port, noDelay: true });
    this.#own(far);
    far.once("error", () => this.#refuse(near, "502 Bad Gateway"));
    far.once("connect", () => {
      this.tunnels += 1;
      this.ports.add(far.localPort!);
      const header = Buffer.from("HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n");
      const carry = () => {
        near.pipe(far);
        far.pipe(near);
      };
      if (this.#manners.isGluing) {
        far.once("data", (first: Buffer) => {
          far.pause();
          near.write(Buffer.concat([header, first]));
          carry();
        });
      } else if (this.#manners.isCrumbling) this.#crumble(near, header, carry);
      else {
        near.write(header);
        carry();
      }
    });
    near.once("close", () => far.destroy());
    far.once("close", () => near.destroy());
  }

  #crumble(near: net.Socket, bytes: Buffer, done: () => void): void {
    if (bytes.length === 0) done();
    else near.write(bytes.subarray(0, 1), () => setImmediate(() => this.#crumble(near, bytes.subarray(1), done)));
  }

  #own(socket: net.Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => socket.destroy()).once("close", () => this.#sockets.delete(socket));
  }
}

function passwordOf(request: string): string | undefined {
  const coded = /^Proxy-Authorization: Basic (\S+)\r$/im.exec(request)?.[1];
  return coded === undefined ? undefined : Buffer.from(coded, "base64").toString("utf8");
}
