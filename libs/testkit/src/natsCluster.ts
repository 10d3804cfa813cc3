import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from './eventually.ts';
import { findNatsServer } from './findNatsServer.ts';
import { type ClusterProblem, problemOf } from './natsHealth.ts';
import { type NatsServer, startNats } from './natsServer.ts';
import { freePort, ServerStartError } from './serverProcess.ts';

export interface NatsClusterOptions {
  /** Holds a folder for each server. */
  dir: string;
  /** How many servers: 3, the default, or 5. */
  size?: number;
  /** What clients must say; default: nothing. */
  login?: NatsLogin;
  log?: (line: string) => void;
}

export interface NatsLogin {
  user: string;
  password: string;
}

/** One server of a cluster. Its ports and its store stay the same through all restarts. */
export interface NatsNode {
  readonly name: string;
  readonly url: string;
  readonly port: number;
  /** http://127.0.0.1:<port>, with /healthz, /varz, /jsz. */
  readonly monitorUrl: string;
  /** Undefined while it does not run. */
  readonly pid: number | undefined;
  readonly isRunning: boolean;
  /** SIGKILL. */
  kill(): Promise<void>;
  stop(): Promise<void>;
  /** Resolves when it takes clients; it may still be catching up. One that runs is left alone. */
  start(deadlineMs?: number): Promise<void>;
  /** Connections stay open but silent, until `resume`. */
  pause(): void;
  resume(): void;
  /** Kills it, forgets its store, and starts it again: it gets everything from the others. */
  wipe(): Promise<void>;
}

export interface NatsCluster {
  /** Of all servers, as NATS_URL wants them. */
  readonly urls: string;
  readonly nodes: readonly NatsNode[];
  /**
   * Resolves when all servers run, have a leader, and every stream's copies are complete. As an operator would, it restarts a server that
   * does not catch up by itself. @throws Error when it takes too long
   */
  untilHealthy(): Promise<void>;
  /** From now on clients must say this: those that have said something else lose their connections, and are refused. */
  demand(login: NatsLogin): Promise<void>;
  /** Loses all stores at once, and starts again. */
  wipeAll(): Promise<void>;
  stop(): Promise<void>;
  /** SIGKILL for all. */
  kill(): Promise<void>;
}

const START_DEADLINE_MS = 15_000;
/** One that has lost its store copies a hundred consumers and more from the others. */
const HEALTHY_DEADLINE_MS = 180_000;
/**
 * nats-server 2.10: one that was catching up when another lost its store may wait for ever for what nobody sends it, and is mended by a
 * restart; or have a copy of a stream that has diverged from the others, and needs them all anew.
 */
const STUCK_MS = 30_000;

/** Starts a cluster of nats-servers with JetStream on 127.0.0.1; resolves when it is healthy. Stores of an earlier run are kept. */
export async function startNatsCluster(options: NatsClusterOptions): Promise<NatsCluster> {
  const program = await findNatsServer(options.log === undefined ? {} : { log: options.log });
  for (let attempt = 1; ; attempt += 1) {
    const nodes = await createNodes(options, program);
    const cluster = clusterOf(nodes, options.login);
    const starts = await Promise.allSettled(nodes.map((node) => node.start()));
    const failure = starts.find((start) => start.status === 'rejected')?.reason;
    if (failure === undefined) {
      await cluster.untilHealthy();
      return cluster;
    }
    await cluster.kill();
    // Somebody took a port after it was chosen: all servers must know the new one.
    if (!(failure instanceof ServerStartError && failure.portTaken) || attempt === 5) throw failure;
  }
}

async function createNodes({ dir, size = 3, login, log }: NatsClusterOptions, program: string): Promise<Node[]> {
  const free = new Set<number>();
  while (free.size < 3 * size) free.add(await freePort());
  const ports = [...free];
  const routes = ports.slice(0, size);
  return routes.map((cluster, i) => {
    const name = `nats-${i + 1}`;
    return new Node({
      name,
      program,
      storeDir: join(dir, name),
      port: ports[size + i] ?? 0,
      monitorPort: ports[2 * size + i] ?? 0,
      cluster: { port: cluster, ports: routes },
      settings: demanding(login),
      ...(log === undefined ? {} : { log: (line: string) => log(`${name}: ${line}`) }),
    });
  });
}

type NodeOptions = Parameters<typeof startNats>[0] & { name: string; port: number; monitorPort: number; settings: string };

function demanding(login: NatsLogin | undefined): string {
  if (login === undefined) return '';
  return `authorization { user: ${JSON.stringify(login.user)}, password: ${JSON.stringify(login.password)} }`;
}

class Node implements NatsNode {
  readonly #options: NodeOptions;
  #settings: string;
  #server: NatsServer | undefined;

  constructor(options: NodeOptions) {
    this.#options = options;
    this.#settings = options.settings;
  }

  get name(): string {
    return this.#options.name;
  }

  get port(): number {
    return this.#options.port;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  get monitorUrl(): string {
    return `http://127.0.0.1:${this.#options.monitorPort}`;
  }

  get pid(): number | undefined {
    return this.#server?.pid;
  }

  get isRunning(): boolean {
    return this.#server !== undefined;
  }

  /** The ports must be the ones that the others know: when one is taken for a moment, it is waited for. */
  async start(deadlineMs = START_DEADLINE_MS): Promise<void> {
    const giveUpAt = Date.now() + deadlineMs;
    while (this.#server === undefined) {
      try {
        const server = await startNats({ ...this.#options, settings: this.#settings });
        this.#server = server;
        void server.exited.then(() => {
          if (this.#server === server) this.#server = undefined;
        });
      } catch (error) {
        const passing = error instanceof ServerStartError && error.portTaken;
        if (!passing || Date.now() > giveUpAt) throw error;
        await delay(200);
      }
    }
  }

  async kill(): Promise<void> {
    await this.#server?.kill();
    this.#server = undefined;
  }

  async stop(): Promise<void> {
    await this.#server?.stop();
    this.#server = undefined;
  }

  pause(): void {
    this.#server?.pause();
  }

  resume(): void {
    this.#server?.resume();
  }

  async wipe(): Promise<void> {
    await this.kill();
    this.forget();
    await this.start();
  }

  /** One that does not run has it from its next start on. */
  async configure(settings: string): Promise<void> {
    this.#settings = settings;
    await this.#server?.configure(settings);
  }

  say(line: string): void {
    this.#options.log?.(line);
  }

  forget(): void {
    rmSync(join(this.#options.storeDir, 'store'), { recursive: true, force: true });
  }
}

function clusterOf(nodes: readonly Node[], login: NatsLogin | undefined): NatsCluster {
  const all = (act: (node: Node) => Promise<void>) => Promise.all(nodes.map(act)).then(() => {});
  const untilHealthy = async () => {
    const mend = mendingOf(nodes);
    const look = async () => {
      const problem = await problemOf(nodes);
      await mend(problem);
      return problem;
    };
    const isNone = (problem: ClusterProblem | undefined) => problem === undefined;
    await eventually(look, isNone, { what: 'a healthy NATS cluster', deadlineMs: HEALTHY_DEADLINE_MS });
  };
  return {
    nodes,
    urls: nodes.map(({ url }) => withLogin(url, login)).join(','),
    untilHealthy,
    demand: (other) => all((node) => node.configure(demanding(other))),
    wipeAll: async () => {
      await all((node) => node.kill());
      for (const node of nodes) node.forget();
      await all((node) => node.start());
      await untilHealthy();
    },
    stop: () => all((node) => node.stop()),
    kill: () => all((node) => node.kill()),
  };
}

/** @returns told of the problem at each look; mends a server that has had one for too long, once */
function mendingOf(nodes: readonly Node[]): (problem: ClusterProblem | undefined) => Promise<void> {
  let stuck: string | undefined;
  let sinceMs = 0;
  const mended = new Set<Node>();
  return async (problem) => {
    if (problem?.of !== stuck) sinceMs = performance.now();
    stuck = problem?.of;
    const node = nodes.find(({ name }) => name === stuck);
    if (node === undefined || mended.has(node) || performance.now() - sinceMs < STUCK_MS) return;
    mended.add(node);
    node.say(`${problem?.what} for ${STUCK_MS / 1_000} s: restarted`);
    if (problem?.hasDiverged === true) return node.wipe();
    await node.stop();
    await node.start();
  };
}

/** As NATS_URL wants it. */
export function withLogin(url: string, login: NatsLogin | undefined): string {
  if (login === undefined) return url;
  const to = new URL(url);
  [to.username, to.password] = [login.user, login.password];
  return to.href;
}
