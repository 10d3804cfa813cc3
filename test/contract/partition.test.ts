import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { type NatsServer, startNats } from '@stockbroker/testkit';
import { partitionOf } from '@stockbroker/trading';
import { afterAll, beforeAll, expect, test } from 'vitest';

const COUNTS = [1, 3, 100, 1_000];

const storeDir = mkdtempSync(join(tmpdir(), 'stockbroker-partition-'));
let nats: NatsServer;
beforeAll(async () => {
  const mappings = COUNTS.map((count) => `"of${count}.*": "is${count}.{{wildcard(1)}}.{{partition(${count},1)}}"`);
  nats = await startNats({ storeDir, settings: `mappings = { ${mappings.join(', ')} }` });
});
afterAll(async () => {
  await nats.stop();
  rmSync(storeDir, { recursive: true, force: true });
});

test.each(COUNTS)('a customer’s partition of %i is the one that nats-server’s own mapping gives', async (count) => {
  const customers = Array.from({ length: 2_000 }, () => randomUUID());
  const connection = await connect({ servers: nats.url });
  const mapped = connection.subscribe(`is${count}.*.*`, { max: customers.length });
  for (const customer of customers) connection.publish(`of${count}.${customer}`);
  const partitions = new Map<string, number>();
  for await (const { subject } of mapped) {
    const [, customer = '', partition] = subject.split('.');
    partitions.set(customer, Number(partition));
  }
  await connection.close();
  expect(partitions).toEqual(new Map(customers.map((customer) => [customer, partitionOf(customer, count)])));
});
