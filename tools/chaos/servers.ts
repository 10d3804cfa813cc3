import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { type Gate, type NatsCluster, openGate, startNatsCluster, startPostgres } from '@stockbroker/testkit/processes';

/** PostgreSQL and NATS as in production. */
export interface Servers {
  databaseUrl: string;
  natsUrl: string;
  /** host:port of each NATS server. */
  natsAddresses: string[];
  /** What the apps must know of them. */
  env: Record<string, string>;
  nats: NatsCluster;
  databaseGate: Gate;
  /** Everything runs and is whole. */
  heal(): Promise<void>;
  stop(): Promise<void>;
  kill(): Promise<void>;
}

/** @param started told of what must be killed if the start does not end */
export async function startServers(dataDir: string, started: (server: { kill(): Promise<void> }) => void): Promise<Servers> {
  const starts = [
    startPostgres({ dataDir: join(dataDir, 'postgres'), log: logTo(dataDir, 'postgres') }),
    startNatsCluster({ dir: join(dataDir, 'nats'), log: logTo(dataDir, 'nats') }),
  ] as const;
  for (const start of starts) start.then(started, () => {}); // Told below.
  const [postgres, nats] = await Promise.all(starts);
  const databaseGate = await openGate({ targets: [`127.0.0.1:${postgres.port}`] });
  const url = new URL(postgres.url);
  url.host = databaseGate.address;
  return {
    databaseUrl: url.href,
    natsUrl: nats.urls,
    natsAddresses: nats.nodes.map(({ port }) => `127.0.0.1:${port}`),
    env: { NATS_REPLICAS: String(nats.nodes.length) },
    nats,
    databaseGate,
    heal: async () => {
      for (const node of nats.nodes) {
        node.resume();
        await node.start();
      }
      await nats.untilHealthy();
    },
    stop: async () => {
      await Promise.all([postgres.stop(), nats.stop()]);
      await databaseGate.close();
    },
    kill: async () => {
      await Promise.all([postgres.kill(), nats.kill(), databaseGate.close()]);
    },
  };
}

function logTo(dataDir: string, name: string): (line: string) => void {
  const stream = createWriteStream(join(dataDir, 'logs', `${name}.log`), { flags: 'a' });
  return (line) => stream.write(`${line}\n`);
}
