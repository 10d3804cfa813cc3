import { type AppProcess, type Broker, type Gate, openGate } from '@stockbroker/testkit';
import { onTestFinished } from 'vitest';

export type Link = 'nats' | 'postgres' | 'exchange';

export interface GatedWorker {
  process: AppProcess;
  links: Record<Link, Gate>;
}

/** Starts one more worker, whose ways to NATS, PostgreSQL and the exchange can be cut or stalled. It is killed after the test. */
export async function addGatedWorker(broker: Broker): Promise<GatedWorker> {
  const database = new URL(broker.databaseUrl);
  const [nats, postgres, exchange] = await Promise.all([
    openGate({ targets: () => [new URL(broker.nats.url).host] }),
    openGate({ targets: [database.host] }),
    openGate({ targets: [broker.system.exchangeAddress] }),
  ]);
  database.host = postgres.address;
  const process = await broker.system.addWorker({
    NATS_URL: `nats://${nats.address}`,
    DATABASE_URL: database.href,
    EXCHANGE_ADDRESS: exchange.address,
  });
  const links = { nats, postgres, exchange };
  onTestFinished(async () => {
    await process.kill();
    await Promise.all(Object.values(links).map((gate) => gate.close()));
  });
  return { process, links };
}
