import { type Broker, type BrokerOptions, startBroker } from '@stockbroker/testkit';
import { expect, inject } from 'vitest';
import { cloneDatabase } from './database.ts';

/** Brokers of which a test has failed: their logs are kept. */
const failed = new WeakSet<Broker>();

/** A broker on a database of its own, its processes as production runs them. For beforeAll: starting one takes seconds, so the tests of a file share it. */
export async function openBroker(options: Omit<BrokerOptions, 'databaseUrl' | 'bundles'> = {}): Promise<Broker> {
  return startBroker({ ...options, databaseUrl: await cloneDatabase(), bundles: inject('bundles') });
}

/** For afterEach: completes all orders, and then the books must be exact and no trade open. */
export async function expectExactBooks(
  broker: Broker,
  context: { task?: { result?: { state: string } | undefined } },
  options: { exchangeLied?: boolean } = {},
): Promise<void> {
  if (context.task?.result?.state === 'fail') failed.add(broker);
  try {
    expect((await broker.books(options)).violations).toEqual([]);
  } catch (error) {
    failed.add(broker);
    throw error;
  }
}

/** For afterAll: stops it, unless it could not even start; no process may be left. */
export async function closeBroker(broker: Broker | undefined): Promise<void> {
  if (broker === undefined) return;
  const keep = failed.has(broker);
  await broker.close({ keep });
  if (keep) console.log(`a test failed; its logs are in ${broker.folder}`);
}
