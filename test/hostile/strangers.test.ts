import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect } from '@nats-io/transport-node';
import { type RpcError, Status } from '@stockbroker/rpc';
import { type Trade, TradeStatus } from '@stockbroker/rpc/stockbroker';
import type { Customer } from '@stockbroker/testkit';
import { eventually } from '@stockbroker/testkit';
import { partitionOf, parseUsd as usd } from '@stockbroker/trading';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Arena, openArena, type Target } from './arena.ts';
import { HELLO, openRaw, type RawConnection } from './http2Frames.ts';

/** What a customer can learn of another, what anyone with access to NATS can do, and what thousands who only connect can. */
let arena: Arena;
let bob: Customer;
let eve: Customer;
let bobs: Trade;
beforeAll(async () => {
  arena = await openArena();
  bob = await arena.broker.customer({ cash: usd('1000000.00') });
  eve = await arena.broker.customer({ cash: usd('1000000.00') });
  bobs = await bob.buys(1, 'AAPL', { clientOrderId: 'rent-money' });
});
afterAll(() => arena.close({}));

const failure = async (call: Promise<unknown>): Promise<object> => {
  const error = await call.then(
    () => expect.fail('it succeeded'),
    (thrown: unknown) => thrown,
  );
  const { code, message, details } = error as RpcError;
  return { code, message, details };
};
const LEAKS = /SELECT|INSERT|\bat \/|node_modules|\.ts\b|Error:|Prisma|postgres|127\.0\.0\.1/i;

test('privacy: another’s order id is answered exactly as an id that there is not, also in what the answer carries', async () => {
  const unknown = crypto.randomUUID();
  const asked = await failure(eve.calls().getTrade({ orderId: bobs.orderId }));
  const none = await failure(eve.calls().getTrade({ orderId: unknown }));
  expect(JSON.stringify(asked).replaceAll(bobs.orderId, '')).toBe(JSON.stringify(none).replaceAll(unknown, ''));
});

test('privacy: another’s client_order_id is free to use, and a trade in another’s name is refused alike for one that exists and one that does not', async () => {
  const mine = await eve.buys(2, 'AAPL', { clientOrderId: 'rent-money' });
  expect(mine).toMatchObject({ customerId: eve.id, clientOrderId: 'rent-money' });
  expect(mine.orderId).not.toBe(bobs.orderId);
  const refusals = await Promise.all(
    [bob.id, crypto.randomUUID(), 'nonsense', bob.id.toUpperCase()].map((customerId) =>
      failure(eve.buys(1, 'AAPL', { customerId })),
    ),
  );
  expect(new Set(refusals.map((refusal) => JSON.stringify(refusal))).size).toBe(1);
  expect(refusals[0]).toMatchObject({ code: Status.PERMISSION_DENIED });
});

test('privacy: another’s page token shows only one’s own trades', async () => {
  for (let i = 0; i < 3; i += 1) await bob.buys(1, 'AAPL');
  const { nextPageToken } = await bob.calls().listTrades({ pageSize: 1 });
  const { trades } = await eve.calls().listTrades({ pageToken: nextPageToken });
  expect(trades.filter(({ customerId }) => customerId !== eve.id)).toEqual([]);
});

test('privacy: whatever page token or order id is sent, the answer is one’s own trades or a clear error that tells nothing', async () => {
  const { nextPageToken } = await bob.calls().listTrades({ pageSize: 1 });
  const inside = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom(['1e3', ''], ['-1', ''], [1, ''], ['9'.repeat(18), ''], ['9'.repeat(19), ''], [['1'], '']),
  );
  const tokens = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    inside.map((value) => Buffer.from(JSON.stringify(value)).toString('base64url')),
    fc.nat({ max: nextPageToken.length }).map((at) => nextPageToken.slice(0, at)),
    fc.constantFrom('['.repeat(5_000), Buffer.from('['.repeat(5_000)).toString('base64url')),
  );
  await fc.assert(
    fc.asyncProperty(
      tokens,
      fc.string({ unit: 'binary', maxLength: 100 }),
      fc.integer(),
      async (pageToken, orderId, pageSize) => {
        const [listed, got] = await Promise.allSettled([
          eve.calls().listTrades({ pageToken, pageSize: pageSize | 0 }),
          eve.calls().getTrade({ orderId }),
        ]);
        for (const answer of [listed, got]) {
          if (answer.status === 'fulfilled') continue;
          expect(answer.reason).toMatchObject({ code: Status.INVALID_ARGUMENT, message: expect.not.stringMatching(LEAKS) });
        }
        if (listed.status === 'fulfilled') for (const trade of listed.value.trades) expect(trade.customerId).toBe(eve.id);
      },
    ),
    { numRuns: 80 },
  );
});

test('privacy: hard values in every field of a trade have clear errors that tell nothing', async () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 100 }),
    fc.constantFrom("'; DROP TABLE trades; --", '\0', '$(7*7)', 'A'.repeat(10_000), '../../etc/passwd'),
  );
  await fc.assert(
    fc.asyncProperty(text, text, fc.integer(), async (stockTicker, clientOrderId, quantity) => {
      fc.pre(!/^[A-Z]{1,5}$/.test(stockTicker));
      const refused = await failure(eve.buys(quantity, stockTicker, { clientOrderId }));
      expect(refused).toMatchObject({ code: Status.INVALID_ARGUMENT, message: expect.not.stringMatching(LEAKS) });
      const quote = await failure(eve.calls().getQuote({ stockTicker }));
      expect(quote).toMatchObject({ code: Status.INVALID_ARGUMENT });
    }),
    { numRuns: 80 },
  );
});

test('NATS: wake-ups, news and leases that are nonsense stop nobody from trading', async () => {
  const nats = await connect({ servers: arena.broker.nats.url });
  const partition = partitionOf(bob.id, 100);
  const texts = [
    '',
    'nonsense',
    '\0',
    "'; DROP TABLE trades; --",
    `${bob.id} `,
    bob.id.toUpperCase(),
    crypto.randomUUID(),
    'x'.repeat(900_000),
  ];
  const payloads = [...texts.map((text) => Buffer.from(text)), randomBytes(1_000), Buffer.from('c328', 'hex')];
  for (const payload of payloads) {
    for (const subject of [`trades.${partition}`, `settled.${partition}`, 'trades.abc', 'settled.-1', 'trades.1000'])
      nats.publish(subject, payload);
  }
  for (const key of ['partition.x', 'partition.100', 'partition', 'stray', 'drain.x', `settled`])
    nats.publish(`$KV.LEASES.${key}`, randomBytes(50));
  for (let i = 0; i < 2_000; i += 1) nats.publish(`settled.${partition}`, `${bob.id} ${bobs.orderId}`);
  await nats.flush();
  const trade = await bob.buys(1, 'AAPL');
  await arena.broker.exchange.whileBehaving({ manual: false }, async () => {
    expect((await bob.ended(trade)).status).toBe(TradeStatus.TRADE_STATUS_FILLED);
  });
  await nats.close();
  const log = readFileSync(`${arena.broker.folder}/system/logs/worker-1.log`, 'utf8');
  expect(log).toContain('a wake-up that names no customer was dropped');
  expect(log).not.toContain('DROP TABLE');
});

const rssMb = (pid: number | undefined) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

test('thousands of idle connections to each server: good clients are served, memory is bounded, and all is given back', async () => {
  const { gateway, callback, callbackHttp, exchange } = arena;
  const targets = [gateway, callback, callbackHttp, exchange];
  const before = targets.map(({ process }) => rssMb(process.pid));
  const raws = await Promise.all(targets.map((target) => openIdle(target, 2_000)));
  for (const [i, { process }] of targets.entries()) expect(rssMb(process.pid) - (before[i] ?? 0)).toBeLessThan(400);
  await Promise.all(targets.map(({ good }) => good()));
  for (const raw of raws.flat()) raw.destroy();
  for (const { process } of [gateway, callback])
    await eventually(
      () => openConnections(process),
      (count) => count < 20,
    );
});

/** Half of them say hello and no more, half say nothing. */
async function openIdle(target: Target, count: number): Promise<RawConnection[]> {
  const raws: RawConnection[] = [];
  while (raws.length < count) {
    const batch = await Promise.all(Array.from({ length: 100 }, () => openRaw(target.port)));
    if (target !== arena.callbackHttp) for (const raw of batch.slice(50)) raw.write(HELLO);
    raws.push(...batch);
  }
  return raws;
}

async function openConnections(process: Target['process']): Promise<number> {
  const metrics = await (await fetch(`${process.endpoints.admin}/metrics`)).text();
  return Number(/server_connections\{.*\} (\d+)/.exec(metrics)?.[1]);
}
