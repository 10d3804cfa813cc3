import type { Evidence } from '@stockbroker/testkit';
import { describe, expect, test } from 'vitest';
import type { MadeFault } from '../../tools/chaos/conductor.ts';
import type { KindName } from '../../tools/chaos/kinds.ts';
import type { Sighting } from '../../tools/chaos/lookout.ts';
import { checkWorld, rightlyOpen } from '../../tools/chaos/worldChecks.ts';
import { ALICE, consistentHistory } from './history.ts';

const fault = (kind: KindName, beganMs: number, endedMs: number, target = 'it'): MadeFault => {
  return { number: 1, kind, target, outcome: 'done', beganMs, endedMs };
};
const sightings = (seen: Omit<Sighting, 'atMs'>, fromMs: number, count: number): Sighting[] =>
  Array.from({ length: count }, (_, i) => ({ atMs: fromMs + 1_000 * i, ...seen }));
const checksOf = (facts: Partial<Parameters<typeof checkWorld>[0]>) =>
  checkWorld({ made: [], sightings: [], evidence: { ...consistentHistory(), clientLog: [] }, ...facts }).map(
    ({ check }) => check,
  );

describe('led', () => {
  const unled = sightings({ unled: [7], connections: 1 }, 0, 20);
  test('a partition without a leader for long while all is well is told', () => {
    expect(checksOf({ sightings: unled })).toEqual(['led']);
  });
  test.each<[string, Partial<Parameters<typeof checkWorld>[0]>]>([
    ['for a moment', { sightings: unled.slice(0, 8) }],
    ['each for a moment', { sightings: unled.map((seen, i) => ({ ...seen, unled: [i] })) }],
    ['while a worker is cut off', { sightings: unled, made: [fault('worker.cut-nats', 9_000, 10_500)] }],
    ['where nobody knows', { sightings: sightings({ unled: undefined, connections: 1 }, 0, 20) }],
  ])('%s it is not', (_when, facts) => expect(checksOf(facts)).toEqual([]));
  test('faults that strike no leader are no excuse', () => {
    expect(checksOf({ sightings: unled, made: [fault('exchange.kill', 0, 20_000)] })).toEqual(['led']);
  });
});

describe('connections', () => {
  const waiting = fault('postgres.wait-for-standby', 0, 20_000);
  test('beyond the pool while commits wait for the standby are told', () => {
    expect(checksOf({ made: [waiting], sightings: sightings({ unled: [], connections: 6 }, 5_000, 3) })).toEqual(['connections']);
  });
  test('as many as the pool has are right, and so are more when something else has struck PostgreSQL', () => {
    expect(checksOf({ made: [waiting], sightings: sightings({ unled: [], connections: 5 }, 5_000, 3) })).toEqual([]);
    const made = [waiting, fault('worker.stall-postgres', 1_000, 2_000)];
    expect(checksOf({ made, sightings: sightings({ unled: [], connections: 6 }, 5_000, 3) })).toEqual([]);
  });
});

describe('isolated', () => {
  const slow = (customerId: string): Evidence => {
    const evidence = consistentHistory();
    const [call] = evidence.clientLog;
    if (call === undefined) throw new Error('no call');
    const calls = Array.from({ length: 20 }, (_, i) => ({ ...call, customerId, startedMs: 100 * i, endedMs: 100 * i + 1_800 }));
    return { ...evidence, clientLog: calls };
  };
  const locked = (target: string) => [fault('postgres.lock-row', -1, 5_000, target)];
  test('others who wait while rows are locked are told; those whose rows they are must wait', () => {
    expect(checksOf({ made: locked('balances of somebody else'), evidence: slow(ALICE) })).toEqual(['isolated']);
    expect(checksOf({ made: locked(`balances of ${ALICE}`), evidence: slow(ALICE) })).toEqual([]);
  });
  test('nor does anybody know on a machine on which they always wait', () => {
    const evidence = slow(ALICE);
    const later = evidence.clientLog.map((call) => ({
      ...call,
      startedMs: call.startedMs + 6_000,
      endedMs: call.endedMs + 6_000,
    }));
    evidence.clientLog.push(...later);
    expect(checksOf({ made: locked('balances of somebody else'), evidence })).toEqual([]);
  });
  test('with another fault beside it nobody knows why they wait', () => {
    const made = [...locked('balances of somebody else'), fault('gateway.pause', 0, 1_000)];
    expect(checksOf({ made, evidence: slow(ALICE) })).toEqual([]);
  });
});

test.each([
  [59_000, ['waited']],
  [61_000, []],
])('WAITED_TOO_LONG after %i ms', (waitedMs, expected) => {
  const evidence = consistentHistory();
  const [trade] = evidence.tables.trades;
  const endedAt = new Date((trade?.createdAt.getTime() ?? 0) + waitedMs);
  Object.assign(trade ?? {}, { status: 'rejected', rejectCode: 'WAITED_TOO_LONG', endedAt });
  expect(checksOf({ evidence })).toEqual(expected);
});

describe('rightly open', () => {
  const heldSince = (markedMs: number) => {
    const evidence = consistentHistory();
    const [first, second] = evidence.tables.trades;
    Object.assign(first ?? {}, { status: 'executed', submittedAt: new Date(performance.timeOrigin + markedMs) });
    Object.assign(second ?? {}, { status: 'placed' });
    evidence.journal.splice(0, 1);
    return { evidence, ids: [first?.id, second?.id] };
  };
  test('a trade marked before a minute without the exchange is held, and those behind it wait', () => {
    const { evidence, ids } = heldSince(1_000);
    const made = [fault('exchange.pause', 500, 30_000), fault('worker.kill', 40_000, 62_000)];
    expect([...rightlyOpen({ made, evidence })]).toEqual(ids);
  });
  test('one that could have been sent in between is not', () => {
    const { evidence } = heldSince(1_000);
    expect(rightlyOpen({ made: [fault('exchange.pause', 500, 30_000)], evidence }).size).toBe(0);
  });
});
