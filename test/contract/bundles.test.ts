import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TradeStatus, TradeType } from '@stockbroker/rpc/stockbroker';
import { openAccounts } from '@stockbroker/store';
import { openDatabase } from '@stockbroker/store/database';
import { eventually, startSystem, tradingClient } from '@stockbroker/testkit';
import { afterAll, expect, inject, test } from 'vitest';
import { cloneDatabase } from '../support/database.ts';

const ROOT = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'stockbroker-bundles-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('npm run build makes the files that the tests run', () => {
  execFileSync(process.execPath, [join(ROOT, 'tools/build.ts'), 'callback'], { stdio: 'ignore' });
  const built = readFileSync(join(ROOT, 'apps/callback/dist/callback.mjs'));
  expect(built.equals(readFileSync(join(inject('bundles'), 'callback.mjs')))).toBe(true);
});

test('no process of the broker carries the Prisma client, which is for tools', () => {
  const carriers = ['gateway', 'worker', 'callback', 'exchange'].filter((app) =>
    readFileSync(join(inject('bundles'), `${app}.mjs`), 'utf8').includes('PrismaClient'),
  );
  expect(carriers).toEqual([]);
});

test('the bundles for production take a trade to its fill, on plain Node, far from the sources and node_modules', async () => {
  const bundles = join(folder, 'bundles');
  cpSync(inject('bundles'), bundles, { recursive: true });
  const databaseUrl = await cloneDatabase();
  const db = openDatabase({ url: databaseUrl, poolSize: 1, statementTimeoutMs: 30_000, onConnectionError: () => {} });
  const customerId = randomUUID();
  await openAccounts(db, [{ customerId, cash: 10_000_000n, shares: {} }]);
  await db.$disconnect();
  const system = await startSystem({
    dataDir: join(folder, 'data'),
    databaseUrl,
    natsUrl: inject('natsUrl'),
    workers: 1,
    bundles,
  });
  const client = tradingClient(system.gatewayAddress, await system.issuer.tokenFor(customerId));
  try {
    const { orderId } = await client.placeTrade({ stockTicker: 'KO', type: TradeType.TRADE_TYPE_BUY, quantity: 2 });
    const ended = await eventually(
      () => client.getTrade({ orderId }),
      (trade) => trade.status >= TradeStatus.TRADE_STATUS_FILLED,
    );
    expect(ended).toMatchObject({ status: TradeStatus.TRADE_STATUS_FILLED, quantity: 2 });
  } finally {
    client.close();
    await system.stop();
  }
});
