import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { type NatsCluster, type PostgresPair, startNatsCluster, startPostgresPair } from '@stockbroker/testkit/processes';

/** What NATS demands of its clients. */
export const LOGIN = { user: 'broker', password: 'right' };

export const PARTITIONS = 100;
/** Connections of each process. */
export const DATABASE_POOL = 5;
/** Of workers, as by default. */
export const LEASE_TTL_MS = 3_000;

/** PostgreSQL and NATS as in production. */
export interface Servers {
  databaseUrl: string;
  natsUrl: string;
  /** host:port of each NATS server. */
  natsAddresses: string[];
  /** What the apps must know of them. */
  env: Record<string, string>;
  nats: NatsCluster;
  postgres: PostgresPair;
  /** Everything runs and is whole. */
  heal(): Promise<void>;
  stop(): Promise<void>;
  kill(): Promise<void>;
}

/** @param started told of what must be killed if the start does not end */
export async function startServers(dataDir: string, started: (server: { kill(): Promise<void> }) => void): Promise<Servers> {
  const starts = [
    startPostgresPair({ dataDir: join(dataDir, 'postgres'), log: logTo(dataDir, 'postgres') }),
    startNatsCluster({ dir: join(dataDir, 'nats'), login: LOGIN, log: logTo(dataDir, 'nats') }),
  ] as const;
  for (const start of starts) start.then(started, () => {}); // Told below.
  const [postgres, nats] = await Promise.all(starts);
  return {
    databaseUrl: postgres.url,
    natsUrl: nats.urls,
    natsAddresses: nats.nodes.map(({ port }) => `127.0.0.1:${port}`),
    env: { NATS_REPLICAS: String(nats.nodes.length) },
    nats,
    postgres,
    heal: async () => {
      await nats.demand(LOGIN);
      for (const node of nats.nodes) {
        node.resume();
        await node.start();
      }
      await nats.untilHealthy();
    },
    stop: async () => {
      await Promise.all([postgres.stop(), nats.stop()]);
    },
    kill: async () => {
      await Promise.all([postgres.kill(), nats.kill()]);
    },
  };
}

function logTo(dataDir: string, name: string): (line: string) => void {
  const stream = createWriteStream(join(dataDir, 'logs', `${name}.log`), { flags: 'a' });
  return (line) => stream.write(`${line}\n`);
}
