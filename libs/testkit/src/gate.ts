import { connect, createServer, type Server, type Socket } from 'node:net';
import { resetSocket } from '@stockbroker/rpc';

export interface GateOptions {
  /** host:port of each server behind it; a function is asked at each connection, for servers that are known only later. */
  targets: readonly string[] | (() => readonly string[]);
  /** Default: any free one. */
  port?: number;
}

/**
 * A TCP balancer on 127.0.0.1 which can be broken: the network between processes, a virtual address, the balancer before several
 * servers. It takes the targets in turn, for each connection anew, and tries the next when one refuses.
 */
export interface Gate {
  readonly port: number;
  /** host:port. */
  readonly address: string;
  /** Connections that are open, or on their way. */
  readonly connections: number;
  /** Resets the connections to targets that are no longer among them. */
  setTargets(targets: readonly string[]): void;
  /** Resets all connections, and each new one at once: the port stays ours, or somebody could take it until `restore`. */
  cut(): void;
  /** A partition: connections stay, new ones are taken, but no byte and no end of a connection passes until `restore`. */
  stall(): void;
  restore(): void;
  close(): Promise<void>;
}

type Mode = 'open' | 'cut' | 'stalled';

/** A target that neither accepts nor refuses is passed over after this long. */
const CONNECT_TIMEOUT_MS = 5_000;

export async function openGate(options: GateOptions): Promise<Gate> {
  const gate = new OpenGate(options.targets);
  await gate.listen(options.port ?? 0);
  return gate;
}

class OpenGate implements Gate {
  readonly #server: Server;
  readonly #links = new Set<Link>();
  #targets: () => readonly string[];
  #mode: Mode = 'open';
  #next = 0;

  constructor(targets: GateOptions['targets']) {
    this.#targets = typeof targets === 'function' ? targets : () => targets;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (client) => this.#accept(client));
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the gate is closed');
    return address.port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  get connections(): number {
    return this.#links.size;
  }

  listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, '127.0.0.1', resolve);
    });
  }

  setTargets(targets: readonly string[]): void {
    this.#targets = () => targets;
    for (const link of this.#links) if (link.target !== undefined && !targets.includes(link.target)) link.reset();
  }

  cut(): void {
    this.#mode = 'cut';
    for (const link of this.#links) link.reset();
  }

  stall(): void {
    this.#mode = 'stalled';
    for (const link of this.#links) link.stall();
  }

  restore(): void {
    this.#mode = 'open';
    for (const link of this.#links) link.flow();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(client: Socket): void {
    const link = new Link(client, { inTurn: () => this.#inTurn(), includes: (target) => this.#targets().includes(target) });
    this.#links.add(link);
    client.once('close', () => this.#links.delete(link));
    if (this.#mode === 'cut') link.reset();
    else if (this.#mode === 'open') link.flow();
  }

  /** All targets, beginning with the next one. */
  #inTurn(): string[] {
    const targets = this.#targets();
    const first = this.#next % Math.max(1, targets.length);
    this.#next = first + 1;
    return [...targets.slice(first), ...targets.slice(0, first)];
  }
}

interface Targets {
  inTurn(): string[];
  includes(target: string): boolean;
}

/** One client's connection, and the one made for it. */
class Link {
  target: string | undefined;
  readonly #client: Socket;
  readonly #targets: Targets;
  #server: Socket | undefined;
  #begun = false;
  #stalled = false;

  constructor(client: Socket, targets: Targets) {
    this.#client = client;
    this.#targets = targets;
    client.on('error', () => this.reset());
  }

  /** Also begins it: a connection that was made during a stall gets its server afterwards. */
  flow(): void {
    this.#stalled = false;
    if (!this.#begun) {
      this.#begun = true;
      void this.#connect();
    } else if (this.#server !== undefined) {
      resumeUnlessFull(this.#client, this.#server);
      resumeUnlessFull(this.#server, this.#client);
    }
  }

  stall(): void {
    this.#stalled = true;
    this.#client.pause();
    this.#server?.pause();
  }

  reset(): void {
    resetSocket(this.#client);
    if (this.#server !== undefined) resetSocket(this.#server);
  }

  async #connect(): Promise<void> {
    for (const target of this.#targets.inTurn()) {
      const server = await connected(target);
      if (server === undefined) continue;
      this.target = target;
      this.#server = server;
      server.on('error', () => this.reset());
      // Meanwhile the gate was cut, or the target taken away: an old primary must not get one more client.
      if (this.#client.destroyed || !this.#targets.includes(target)) return this.reset();
      this.#forward(this.#client, server);
      this.#forward(server, this.#client);
      if (!this.#stalled) this.flow();
      return;
    }
    this.reset();
  }

  #forward(from: Socket, to: Socket): void {
    from.on('data', (chunk) => {
      if (!to.write(chunk)) from.pause();
    });
    to.on('drain', () => {
      if (!this.#stalled) from.resume();
    });
    from.on('end', () => to.end());
    // Closed without an end: reset by its peer.
    from.once('close', () => {
      if (!from.readableEnded) resetSocket(to);
    });
    from.pause();
  }
}

function resumeUnlessFull(from: Socket, to: Socket): void {
  if (!to.writableNeedDrain) from.resume();
}

/** Undefined when nobody answers there. */
function connected(target: string): Promise<Socket | undefined> {
  const { hostname, port } = new URL(`tcp://${target}`);
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true, noDelay: true });
    const failed = () => {
      socket.destroy();
      resolve(undefined);
    };
    const timer = setTimeout(failed, CONNECT_TIMEOUT_MS);
    socket.once('close', () => clearTimeout(timer));
    socket.once('error', failed);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', failed);
      resolve(socket);
    });
  });
}
