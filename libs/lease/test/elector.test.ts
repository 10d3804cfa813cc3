import { expect, test } from 'vitest';
import { toValue } from '../src/keys.ts';
import { createElection, PARTITIONS, TTL_MS } from './election.ts';

test('election: a lone worker leads everything', async () => {
  const { clock, worker, trusted } = createElection();
  worker('a');
  await clock.advance(200);
  expect(trusted()).toEqual(Array(PARTITIONS).fill(['a']));
});

test('election: each partition has one trusted leader, also while workers join and leave', async () => {
  const { clock, worker, trusted } = createElection();
  const a = worker('a');
  await clock.advance(500);
  worker('b');
  worker('c');
  for (let step = 0; step < 40; step += 1) {
    await clock.advance(25);
    expect(trusted().every((leaders) => leaders.length <= 1)).toBe(true);
  }
  expect(trusted().every((leaders) => leaders.length === 1)).toBe(true);
  expect(new Set(trusted().flat())).toEqual(new Set(['a', 'b', 'c']));
  await Promise.all([a.elector.stop(), clock.advance(500)]);
  expect(new Set(trusted().flat())).toEqual(new Set(['b', 'c']));
  expect(trusted().every((leaders) => leaders.length === 1)).toBe(true);
});

/** How often each partition got a leader, by the log. */
function elections(log: string[]): number[] {
  const partitions = log.filter((line) => line.includes(' elected ')).map((line) => Number(line.split(' ').at(-1)));
  return [...Map.groupBy(partitions, (partition) => partition).values()].map((all) => all.length);
}

function counts(trusted: string[][]): number[] {
  return [...Map.groupBy(trusted.flat(), (worker) => worker).values()].map((all) => all.length).sort();
}

test('election: workers lead equally many; when one joins, each partition moves once at most, and few besides its share', async () => {
  const { clock, worker, trusted, log } = createElection();
  worker('a');
  worker('b');
  await clock.advance(2_000);
  expect(counts(trusted())).toEqual([10, 10]);
  log.length = 0;
  worker('c');
  await clock.advance(5_000);
  expect(counts(trusted())).toEqual([6, 7, 7]);
  expect(elections(log).every((times) => times === 1)).toBe(true);
  expect(elections(log).length).toBeLessThanOrEqual(7 + 2);
  expect(log.filter((line) => line.includes('handed over'))).toHaveLength(elections(log).length);
});

test('election: nothing is handed over to a worker that does not hear of changes yet', async () => {
  const { clock, worker, trusted, leases } = createElection();
  worker('a');
  await clock.advance(500);
  const hears = Promise.withResolvers<void>();
  const link = { reachable: true };
  const store = leases.connect(link);
  worker('b', link, {
    async *watch(signal) {
      await hears.promise;
      yield* store.watch(signal);
    },
  });
  await clock.advance(1_500);
  expect(counts(trusted())).toEqual([20]);
  hears.resolve();
  await clock.advance(1_500);
  expect(counts(trusted())).toEqual([10, 10]);
});

test('election: nothing is handed over to a worker before it has settled, unless it is alone', async () => {
  const { clock, worker, trusted } = createElection();
  worker('a');
  await clock.advance(100);
  expect(counts(trusted())).toEqual([20]);
  worker('b');
  await clock.advance(290);
  expect(counts(trusted())).toEqual([20]);
  await clock.advance(2_000);
  expect(counts(trusted())).toEqual([10, 10]);
});

test('election: a worker that leaves while it settles announces itself no more', async () => {
  const { clock, worker, trusted, leases, log } = createElection();
  worker('a');
  await clock.advance(500);
  log.length = 0;
  const { elector } = worker('b');
  await clock.advance(100);
  await Promise.all([elector.stop(), clock.advance(100)]);
  await clock.advance(2_000);
  expect(leases.holder('worker.b')).toBeUndefined();
  expect(counts(trusted())).toEqual([20]);
  expect(log).toEqual([]);
});

test('election: when a worker vanishes the others lead equally many at once, and each partition moves once at most', async () => {
  const { clock, worker, trusted, terms, log } = createElection();
  const { link } = worker('a');
  for (const other of ['b', 'c', 'd']) worker(other);
  // Its presence and its leases are renewed at different times, so that some end before the others.
  await clock.advance(2_000);
  expect(counts(trusted())).toEqual([5, 5, 5, 5]);
  log.length = 0;
  link.reachable = false;
  terms.delete('a');
  await clock.advance(TTL_MS + 200);
  expect(counts(trusted())).toEqual([6, 7, 7]);
  await clock.advance(20_000);
  expect(elections(log).every((times) => times === 1)).toBe(true);
});

test('election: a lease that ends without being given up is taken at once, although its holder’s presence was renewed later', async () => {
  const { clock, worker, trusted, terms } = createElection();
  const { link } = worker('a');
  for (const other of ['b', 'c']) worker(other);
  const leaving = worker('d');
  await clock.advance(2_400);
  const before = new Set(terms.get('a')?.keys());
  await Promise.all([leaving.elector.stop(), clock.advance(300)]);
  const taken = [...(terms.get('a')?.keys() ?? [])].filter((partition) => !before.has(partition));
  expect(taken.length).toBeGreaterThan(0);
  await clock.advance(500); // Its presence is renewed meanwhile, and what it has just taken is not.
  link.reachable = false;
  terms.delete('a');
  await clock.advance(TTL_MS - 500);
  expect(taken.map((partition) => trusted()[partition]?.length)).toEqual(taken.map(() => 1));
});

test('election: the lease is kept until the work in hand is done, and only then passes on', async () => {
  const { clock, worker, trusted, handOvers } = createElection();
  const a = worker('a');
  await clock.advance(500);
  worker('b');
  const done = Promise.withResolvers<void>();
  handOvers.set('a', () => done.promise);
  const stopped = a.elector.stop();
  await clock.advance(10_000);
  expect(trusted()).toEqual(Array(PARTITIONS).fill(['a']));
  done.resolve();
  await clock.advance(1_000);
  await stopped;
  expect(trusted()).toEqual(Array(PARTITIONS).fill(['b']));
});

test('election: a worker that vanishes is replaced when its lease has ended, not before', async () => {
  const { clock, worker, trusted, terms } = createElection();
  const { link } = worker('a');
  await clock.advance(500);
  worker('b');
  await clock.advance(2_000);
  const ofA = [...(terms.get('a')?.keys() ?? [])];
  link.reachable = false;
  terms.delete('a');
  await clock.advance(TTL_MS - 1_500);
  expect(ofA.every((partition) => trusted()[partition]?.length === 0)).toBe(true);
  await clock.advance(2_000);
  expect(trusted()).toEqual(Array(PARTITIONS).fill(['b']));
});

test('election: a leader cut off from the store stops trusting its lease before another can have it', async () => {
  const { clock, worker, trusted, leases } = createElection();
  const { link } = worker('a');
  await clock.advance(500);
  worker('b', { reachable: true });
  await clock.advance(3_000);
  link.reachable = false;
  for (let step = 0; step < 200; step += 1) {
    await clock.advance(25);
    expect(trusted().every((leaders) => leaders.length <= 1)).toBe(true);
  }
  expect(trusted()).toEqual(Array(PARTITIONS).fill(['b']));
  expect(leases.holder('partition.0')).toBe(toValue('b', TTL_MS));
});

test('election: after a long pause a leader trusts nothing, before any of its code has run', async () => {
  const { clock, worker, terms } = createElection();
  worker('a');
  await clock.advance(500);
  const held = [...(terms.get('a')?.values() ?? [])];
  expect(held.every((term) => term.isTrusted())).toBe(true);
  clock.jump(60_000);
  expect(held.some((term) => term.isTrusted())).toBe(false);
});

test('election: a worker that resigns a term competes again like anyone', async () => {
  const { clock, worker, terms, log } = createElection();
  const { elector } = worker('a');
  await clock.advance(500);
  const term = terms.get('a')?.get(3);
  if (term === undefined) throw new Error('a does not lead partition 3');
  await elector.resign(term);
  await clock.advance(500);
  expect(log.slice(-2)).toEqual(['a lost 3', 'a elected 3']);
  expect(terms.get('a')?.get(3)).not.toBe(term);
});

test.each(['partition.x', 'partition.', 'partition.-1', 'partition.07', 'partition.20', 'partition.1e1', 'stray', 'partition'])(
  'election: the key %j that somebody else has written keeps no partition from its leader',
  async (key) => {
    const { clock, leases, worker, trusted } = createElection();
    leases.put(key, 'somebody');
    worker('a');
    await clock.advance(200);
    leases.put(key, 'somebody');
    await clock.advance(200);
    expect(trusted()).toEqual(Array(PARTITIONS).fill(['a']));
  },
);

test('election: a worker that begins after another was killed knows when that one’s leases end, and takes its share at once', async () => {
  const { clock, worker, trusted, terms } = createElection();
  worker('a');
  const { link } = worker('b');
  await clock.advance(2_000);
  link.reachable = false;
  terms.delete('b');
  await clock.advance(1_000);
  worker('c');
  await clock.advance(TTL_MS - 1_000 + 200);
  expect(trusted().every((leaders) => leaders.length === 1)).toBe(true);
  expect(new Set(trusted().flat())).toEqual(new Set(['a', 'c']));
});

test('election: a lease that has ended is taken although the store has not forgotten it yet', async () => {
  const { clock, worker, trusted, terms } = createElection(1_000);
  const { link } = worker('a');
  worker('b');
  await clock.advance(2_000);
  link.reachable = false;
  terms.delete('a');
  await clock.advance(TTL_MS + 200);
  expect(trusted()).toEqual(Array(PARTITIONS).fill(['b']));
});

test('election: a watch that lags behind the answers makes nobody believe that a former leader is gone', async () => {
  const { clock, worker, log } = createElection();
  worker('a');
  for (const other of ['b', 'c', 'd']) worker(other);
  await clock.advance(1_500);
  log.length = 0;
  await clock.advance(20_000);
  expect(log).toEqual([]);
});
