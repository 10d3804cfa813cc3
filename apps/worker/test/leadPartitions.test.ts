import type { Term } from '@stockbroker/lease';
import type { FlowLog, LanePorts, Raised } from '@stockbroker/trade-flow';
import { expect, test } from 'vitest';
import { LedPartitions } from '../src/leadPartitions.ts';

const CUSTOMER = '6e3d9ed4-6a37-4c1e-9d6e-0d5b7a3f2c11';
const silent: FlowLog = { debug() {}, info() {}, warn() {}, error() {} };

/** A partition of one customer, whose store never answers any more once it was asked for the customer's trades. */
function stuckPartition(raiseEpoch: () => Promise<Raised> = async () => ({ epoch: 1n, since: new Date(0) }), now = () => 0) {
  const asked = Promise.withResolvers<void>();
  const slept: number[] = [];
  let answer = (_trade: null) => {};
  const lanePorts = {
    clock: { now, sleep: async (ms: number) => void slept.push(ms) },
    hours: { at: () => ({ isOpen: true, sinceMs: -Infinity, untilMs: Infinity }) },
    random: { number: () => 0 },
    store: {
      readOpenCustomers: async () => [CUSTOMER],
      readOldestOpenTrade: () =>
        new Promise<null>((resolve) => {
          answer = resolve;
          asked.resolve();
        }),
    },
  } as unknown as LanePorts;
  const subscribed = { stop: async () => {} };
  const led = new LedPartitions({
    workerId: 'worker',
    store: { raiseEpoch },
    bus: { onSettled: () => subscribed, onWakeup: () => subscribed },
    lanePorts,
    options: { maxLanes: 1, maxStarting: 1, maxOutageMs: 1, maxPlacedWaitMs: 1, maxResendAgeMs: 1, askAfterMs: 1, maxRetryMs: 1 },
    log: silent,
    resign: () => {},
  });
  return { led, asked: asked.promise, slept, answer: () => answer(null) };
}

test('worker: a hand-over does not wait for work that hangs; stopping the process does', async () => {
  const { led, asked, slept, answer } = stuckPartition();
  const term: Term = { partition: 7, isTrusted: () => true };
  led.elected(term);
  await asked;
  await led.handOver(term);
  expect([led.count, slept]).toEqual([0, [50]]);
  let ended = false;
  const ending = led.ended().then(() => {
    ended = true;
  });
  expect(ended).toBe(false);
  answer();
  await ending;
});

test('worker: a hand-over waits for an epoch that is being raised, which would fence the next leader off', async () => {
  const raised = Promise.withResolvers<Raised>();
  const { led } = stuckPartition(() => raised.promise);
  const term: Term = { partition: 7, isTrusted: () => true };
  led.elected(term);
  let handedOver = false;
  const handingOver = led.handOver(term).then(() => {
    handedOver = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(handedOver).toBe(false);
  raised.resolve({ epoch: 1n, since: new Date(0) });
  await handingOver;
  expect(led.count).toBe(0);
});

test('worker: a lease whose epoch cannot be raised is told of, with the reason, once it is older than a lease lives', async () => {
  let nowMs = 0;
  let isTrusted = true;
  const readOnly = async () => {
    if (nowMs === 5_000) isTrusted = false;
    await new Promise((resolve) => setImmediate(resolve));
    throw new Error('cannot execute UPDATE in a read-only transaction');
  };
  const { led } = stuckPartition(readOnly, () => nowMs);
  led.elected({ partition: 7, isTrusted: () => isTrusted });
  nowMs = 3_000;
  expect(led.notBegun(3_000).partitions).toEqual([]);
  nowMs = 3_001;
  while (led.notBegun(3_000).why.includes('not answered')) await new Promise((resolve) => setImmediate(resolve));
  expect(led.notBegun(3_000)).toEqual({ partitions: [7], why: 'cannot execute UPDATE in a read-only transaction' });
  nowMs = 5_000;
});
