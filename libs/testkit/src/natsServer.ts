import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { eventually } from './eventually.ts';
import { findNatsServer } from './findNatsServer.ts';
import { canonicalPath, claimFolder } from './folderClaim.ts';
import { PATIENCE } from './patience.ts';
import { freePort, type ServerProcess, spawnServer, startOnPort, stopLeftovers, untilReady } from './serverProcess.ts';

export interface NatsOptions {
  /** Holds the JetStream store, kept between starts, and the configuration file. */
  storeDir: string;
  /** Default: a free one. */
  port?: number;
  /** Default: a free one. */
  monitorPort?: number;
  /** Its name among the servers of a cluster. */
  name?: string;
  /** Its place in a cluster: it starts without waiting for the others. */
  cluster?: NatsClusterPlace;
  /** More lines for the configuration file, e.g. subject mappings. */
  settings?: string;
  /** Write every message to disk before it is acknowledged. Default: every 2 minutes, as nats-server itself. */
  syncAlways?: boolean;
  /** The nats-server program. Default: see findNatsServer. */
  program?: string;
  /** Takes the server's log and what is done to start it. */
  log?: (line: string) => void;
}

interface NatsClusterPlace {
  /** For the other servers. */
  port: number;
  /** Of all of them. */
  ports: readonly number[];
}

export interface NatsServer {
  readonly url: string;
  readonly port: number;
  /** http://127.0.0.1:<port>, with /healthz, /varz, /jsz. */
  readonly monitorUrl: string;
  readonly pid: number;
  /** Resolves once the process that runs now is gone, for whatever reason. */
  readonly exited: Promise<void>;
  stop(): Promise<void>;
  /** SIGKILL. What JetStream has written is kept. */
  kill(): Promise<void>;
  /** Stops, forgets all streams and buckets, and starts again on the same port. */
  wipe(): Promise<void>;
  /** Still connected, but silent, until `resume`. */
  pause(): void;
  resume(): void;
  /** Has it read its configuration again, with other `settings`. Resolves when they hold: e.g. who is refused now has lost its connection. */
  configure(settings: string): Promise<void>;
}

/** A member of a cluster that has lost much reads it all before it is ready. */
const readyDeadlineMs = 60_000 * PATIENCE;

/**
 * Starts nats-server with JetStream on 127.0.0.1. A server left on that store by a killed process is stopped first; one of a live
 * process is not touched (FolderInUseError).
 */
export async function startNats(options: NatsOptions): Promise<NatsServer> {
  const log = options.log ?? (() => {});
  const program = options.program ?? (await findNatsServer({ log }));
  const storeDir = canonicalPath(resolve(options.storeDir));
  const release = claimFolder(storeDir);
  try {
    mkdirSync(storeDir, { recursive: true });
    const configFile = join(storeDir, 'nats.conf');
    const leftovers = await stopLeftovers('nats-server', ['-c', configFile], 'SIGTERM');
    if (leftovers.length > 0) log(`stopped a server that an earlier run left behind (process ${leftovers.join(', ')})`);

    return await startOnPort('nats-server', options.port, async (port) => {
      const monitorPort = options.monitorPort ?? (await freePort());
      writeFileSync(configFile, configuration(options, storeDir, port, monitorPort));
      // One of a cluster is not healthy before a majority is there: then it is enough that it serves.
      const healthPath = options.cluster === undefined ? '/healthz' : '/healthz?js-enabled-only=true';
      const start = () => launch(program, configFile, `http://127.0.0.1:${monitorPort}${healthPath}`, log);
      const write = (settings: string) =>
        writeFileSync(configFile, configuration({ ...options, settings }, storeDir, port, monitorPort));
      return control(await start(), { storeDir, port, monitorPort, start, release, write });
    });
  } catch (error) {
    release();
    throw error;
  }
}

function configuration(options: NatsOptions, storeDir: string, port: number, monitorPort: number): string {
  return `server_name: ${options.name ?? 'stockbroker'}
listen: "127.0.0.1:${port}"
http: "127.0.0.1:${monitorPort}"
jetstream {
  store_dir: ${JSON.stringify(join(storeDir, 'store'))}
  ${options.syncAlways ? 'sync_interval: always' : ''}
}
${options.cluster === undefined ? '' : clusterConfiguration(options.cluster)}
${options.settings ?? ''}
`;
}

/** Clients are not told of the other servers: they know all addresses, and one behind a gate must not find a way around it. */
function clusterConfiguration({ port, ports }: NatsClusterPlace): string {
  return `cluster {
  name: stockbroker
  listen: "127.0.0.1:${port}"
  routes: [${ports.map((each) => `"nats://127.0.0.1:${each}"`).join(', ')}]
  no_advertise: true
}`;
}

async function launch(
  program: string,
  configFile: string,
  healthUrl: string,
  log: (line: string) => void,
): Promise<ServerProcess> {
  const server = await spawnServer(program, ['-c', configFile], { name: 'nats-server', stopSignal: 'SIGTERM', log });
  await untilReady('nats-server', server, readyDeadlineMs, () => isHealthy(healthUrl));
  return server;
}

/** Listening for clients, and JetStream has read its store. */
async function isHealthy(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false; // not listening yet
  }
}

interface Launched {
  storeDir: string;
  port: number;
  monitorPort: number;
  start: () => Promise<ServerProcess>;
  release: () => void;
  /** Changes the configuration file. */
  write: (settings: string) => void;
}

function control(first: ServerProcess, { storeDir, port, monitorPort, start, release, write }: Launched): NatsServer {
  let server: ServerProcess;
  let wiping = false;
  let gone: Promise<void>;
  const run = (started: ServerProcess) => {
    server = started;
    gone = started.exited.then(() => {
      if (!wiping) release();
    });
  };
  run(first);
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    monitorUrl: `http://127.0.0.1:${monitorPort}`,
    get pid() {
      return server.pid;
    },
    get exited() {
      return gone;
    },
    stop: () => server.stop().then(() => gone),
    kill: () => server.kill().then(() => gone),
    async wipe() {
      wiping = true;
      try {
        await server.stop();
        rmSync(join(storeDir, 'store'), { recursive: true, force: true });
        run(await start());
      } catch (error) {
        release();
        throw error;
      } finally {
        wiping = false;
      }
    },
    pause: () => server.signal('SIGSTOP'),
    resume: () => server.signal('SIGCONT'),
    async configure(settings) {
      const loadedAt = async () => {
        const response = await fetch(`http://127.0.0.1:${monitorPort}/varz`, { signal: AbortSignal.timeout(2_000) });
        return ((await response.json()) as { config_load_time: string }).config_load_time;
      };
      const answered = () => loadedAt().catch(() => undefined); // It is busy, or silent for a moment.
      const before = await eventually(answered, (at) => at !== undefined, { what: 'an answer of nats-server' });
      write(settings);
      server.signal('SIGHUP');
      await eventually(answered, (at) => at !== undefined && at !== before, { what: 'a configuration that was read again' });
    },
  };
}
