import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstreamManager, StorageType } from '@nats-io/jetstream';
import { Bus, connectNats, natsAt } from '@stockbroker/bus';
import { createLog, createMetrics } from '@stockbroker/runtime';
import { eventually, startNats } from '@stockbroker/testkit';
import type { Trade } from '@stockbroker/trading';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { busOf, type ProcessBus } from '../simulation/ports.ts';
import { openMemory } from './memory.ts';

/** A server of this file's own, because the stream's name is the same for all. */
const folder = mkdtempSync(join(tmpdir(), 'stockbroker-bus-'));
const nats = await startNats({ storeDir: join(folder, 'nats') });
afterAll(async () => {
  await nats.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function managerOf() {
  const connection = await connectNats(natsAt(nats.url), 'manager');
  onTestFinished(() => connection.close());
  return jetstreamManager(connection);
}

/** As two processes have it. */
type Open = () => Promise<{ mine: ProcessBus; theirs: ProcessBus }>;

const failed = (error: Error) => {
  throw error;
};

async function openBus(metrics = createMetrics('test')): Promise<Bus> {
  const log = createLog('test', 'silent');
  const bus = new Bus({ config: natsAt(nats.url), name: 'conformance', database: 'ours', log, metrics, fail: failed });
  onTestFinished(() => bus.close());
  await eventually(() => bus.isConnected, Boolean);
  return bus;
}

const real: Open = async () => ({ mine: await openBus(), theirs: await openBus() });

const memory: Open = async () => {
  const { servers, process, close } = openMemory();
  onTestFinished(close);
  return { mine: busOf(process('mine'), servers), theirs: busOf(process('theirs'), servers) };
};

let partitions = 0;
/** A trade in a partition that no other test uses. */
function newTrade(change: Partial<Trade> = {}): Trade {
  partitions += 1;
  return { id: `trade-${partitions}`, customerId: `customer-${partitions}`, partition: partitions, ...change } as Trade;
}

describe.each([
  ['JetStream', real],
  ['memory', memory],
])('wake-ups in %s', (_name, open) => {
  test('a wake-up reaches whoever takes the partition’s, also when it was sent before', async () => {
    const { mine, theirs } = await open();
    const trade = newTrade();
    mine.tradePlaced(trade);
    const taken: string[] = [];
    const subscribed = theirs.onWakeup(trade.partition, (customerId, ack) => {
      taken.push(customerId);
      ack();
    });
    await eventually(
      () => taken,
      (customers) => customers.length === 1,
    );
    mine.tradePlaced({ ...trade, customerId: 'another' });
    await eventually(
      () => taken,
      (customers) => customers.length === 2,
    );
    expect(taken).toEqual([trade.customerId, 'another']);
    await subscribed.stop();
  });

  test('a wake-up that was acknowledged does not come again to the next who takes', async () => {
    const { mine, theirs } = await open();
    const trade = newTrade();
    const first: string[] = [];
    const leading = theirs.onWakeup(trade.partition, (customerId, ack) => {
      first.push(customerId);
      ack();
    });
    mine.tradePlaced(trade);
    await eventually(
      () => first,
      (customers) => customers.length === 1,
    );
    await leading.stop();
    const second: string[] = [];
    const next = mine.onWakeup(trade.partition, (customerId) => second.push(customerId));
    mine.tradePlaced({ ...trade, customerId: 'later' });
    await eventually(
      () => second,
      (customers) => customers.length >= 1,
    );
    expect(second).toEqual(['later']);
    await next.stop();
  });

  test('news of a settlement reaches all who listen, and nobody who has stopped', async () => {
    const { mine, theirs } = await open();
    const trade = newTrade();
    const [heard, alsoHeard]: [string[], string[]] = [[], []];
    const listening = mine.onSettled(trade.partition, (...news) => heard.push(news.join(' ')));
    const alsoListening = theirs.onSettled(trade.partition, (...news) => alsoHeard.push(news.join(' ')));
    // Core NATS: a subscription counts from when the server has it, so the first news are sent until one is heard.
    await eventually(() => {
      if (heard.length === 0 || alsoHeard.length === 0) mine.tradeSettled(trade);
      return heard.length > 0 && alsoHeard.length > 0;
    }, Boolean);
    expect(heard[0]).toBe(`${trade.customerId} ${trade.id}`);
    expect(alsoHeard[0]).toBe(heard[0]);
    await listening.stop();
    const before = heard.length;
    theirs.tradeSettled({ ...trade, id: 'last' });
    await eventually(
      () => alsoHeard.at(-1),
      (news) => news === `${trade.customerId} last`,
    );
    expect(heard.length).toBe(before);
    await alsoListening.stop();
  });
});

test('wake-ups of one turn reach a partition as one message, which is acknowledged when each of them is', async () => {
  const { mine, theirs } = await real();
  const manager = await managerOf();
  const [{ partition }, other] = [newTrade(), newTrade()];
  const taken: string[] = [];
  const acks: (() => void)[] = [];
  const subscribed = theirs.onWakeup(partition, (customerId, ack) => {
    taken.push(customerId);
    acks.push(ack);
  });
  const othersAcks: (() => void)[] = [];
  const alsoSubscribed = theirs.onWakeup(other.partition, (_customerId, ack) => othersAcks.push(ack));
  for (const customerId of ['one', 'two', 'one']) mine.tradePlaced(newTrade({ partition, customerId }));
  mine.tradePlaced(other);
  await eventually(() => taken.length === 3 && othersAcks.length === 1, Boolean);
  expect(taken).toEqual(['one', 'two', 'one']);
  const unfinished = async (of: number) => (await manager.consumers.info('TRADES', `partition-${of}`)).num_ack_pending;
  expect(await unfinished(partition)).toBe(1);
  acks[0]?.();
  acks[1]?.();
  // On the same connection: when this one is known, so is what came before.
  othersAcks[0]?.();
  await eventually(
    () => unfinished(other.partition),
    (count) => count === 0,
  );
  expect(await unfinished(partition)).toBe(1);
  acks[2]?.();
  await eventually(
    () => unfinished(partition),
    (count) => count === 0,
  );
  await subscribed.stop();
  await alsoSubscribed.stop();
});

test('wake-ups that no stream takes are counted, each', async () => {
  const metrics = createMetrics('test');
  const bus = await openBus(metrics);
  const manager = await managerOf();
  await eventually(
    () => manager.streams.info('TRADES').catch(() => undefined),
    (stream) => stream !== undefined,
  );
  const counted = async () =>
    (await metrics.registry.metrics()).split('\n').filter((line) => /^bus_wakeups_\w+(?:{.*})? [1-9]/.test(line));
  const place = () => {
    for (const partition of [1, 1, 2]) bus.tradePlaced(newTrade({ partition }));
  };
  place();
  expect(await eventually(counted, (lines) => lines.length === 1)).toEqual([
    expect.stringMatching(/^bus_wakeups_published_total.* 3$/),
  ]);
  await manager.streams.delete('TRADES');
  place();
  const lines = await eventually(counted, ({ length }) => length === 2);
  expect(lines).toContainEqual(expect.stringMatching(/^bus_wakeups_dropped_total.*cause="failed".* 3$/));
});

test('a stream of an earlier version, kept in files, gives way to one in memory', async () => {
  const manager = await managerOf();
  await manager.streams.delete('TRADES').catch(() => {}); // Of the tests before.
  await manager.streams.add({ name: 'TRADES', subjects: ['trades.*'], storage: StorageType.File });
  const { mine, theirs } = await real();
  const trade = newTrade();
  const taken: string[] = [];
  const subscribed = theirs.onWakeup(trade.partition, (customerId, ack) => {
    taken.push(customerId);
    ack();
  });
  await eventually(
    () => {
      mine.tradePlaced(trade);
      return taken.length;
    },
    (count) => count > 0,
  );
  await subscribed.stop();
  expect((await manager.streams.info('TRADES')).config).toMatchObject({ storage: 'memory', retention: 'workqueue' });
});
