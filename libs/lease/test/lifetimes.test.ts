import { expect, test } from 'vitest';
import type { LeaseStore } from '../src/index.ts';
import { createElection, PARTITIONS, TTL_MS } from './election.ts';

function shares(trusted: string[][]): number[] {
  return [...Map.groupBy(trusted.flat(), (worker) => worker).values()].map((all) => all.length).sort();
}

test('election: workers with different lifetimes lead side by side, each partition with one, and none changes its leader', async () => {
  const { clock, worker, trusted, log } = createElection(1_000, 15_000);
  worker('a');
  worker('b', { reachable: true }, {}, 15_000);
  await clock.advance(5_000);
  expect(shares(trusted())).toEqual([10, 10]);
  log.length = 0;
  for (let step = 0; step < 600; step += 1) {
    await clock.advance(100);
    expect(trusted().every((leaders) => leaders.length === 1)).toBe(true);
  }
  expect(log).toEqual([]);
});

test('election: a lease ends by its own lifetime, however long the store keeps its key', async () => {
  const { clock, worker, trusted, terms } = createElection(1_000, 60_000);
  const { link } = worker('a');
  worker('b');
  await clock.advance(2_000);
  link.reachable = false;
  terms.delete('a');
  await clock.advance(TTL_MS + 200);
  expect(trusted()).toEqual(Array(PARTITIONS).fill(['b']));
});

test('election: an attempt to take an ended lease that gets no answer is made again, at the same revision', async () => {
  const { clock, worker, trusted, terms, leases } = createElection(0, 60_000);
  const { link } = worker('a');
  let fails = false;
  const store = leases.connect();
  const update: LeaseStore['update'] = (key, holder, revision) =>
    fails ? Promise.reject(new Error('no answer')) : store.update(key, holder, revision);
  worker('b', { reachable: true }, { update });
  await clock.advance(2_000);
  link.reachable = false;
  terms.delete('a');
  fails = true;
  await clock.advance(TTL_MS + 500);
  fails = false;
  await clock.advance(500);
  expect(trusted()).toEqual(Array(PARTITIONS).fill(['b']));
});

test('election: all stop, and others begin when the marks are about to vanish: they lead everything', async () => {
  for (let gapMs = TTL_MS - 800; gapMs <= TTL_MS + 1_200; gapMs += 100) {
    const { clock, worker, trusted } = createElection(1_000);
    const before = [worker('a'), worker('b')];
    await clock.advance(2_000);
    await Promise.all([...before.map(({ elector }) => elector.stop()), clock.advance(2_000)]);
    await clock.advance(gapMs - 2_000 > 0 ? gapMs - 2_000 : 0);
    for (const name of ['c', 'd', 'e']) worker(name);
    await clock.advance(2_000);
    expect([gapMs, shares(trusted())]).toEqual([gapMs, [6, 7, 7]]);
  }
});

test('election: partitions that a worker may lead and nobody does are named, with the reason, after a lease’s lifetime', async () => {
  const { clock, worker, leases } = createElection();
  const store = leases.connect();
  let refuses = true;
  const create: LeaseStore['create'] = (key, holder) =>
    refuses ? Promise.reject(new Error('the disk is full')) : store.create(key, holder);
  const { elector } = worker('a', { reachable: true }, { create });
  await clock.advance(TTL_MS - 500);
  expect(elector.withoutLeader.partitions).toEqual([]);
  await clock.advance(1_000);
  expect(elector.withoutLeader).toEqual({ partitions: Array.from({ length: PARTITIONS }, (_, p) => p), why: 'the disk is full' });
  refuses = false;
  await clock.advance(200);
  expect(elector.withoutLeader.partitions).toEqual([]);
});

test('election: a worker whose renewals got no answer for too long leads again at once, however long the store keeps its keys', async () => {
  const { clock, worker, trusted } = createElection(1_000, 60_000);
  const { link } = worker('a');
  await clock.advance(500);
  link.reachable = false;
  await clock.advance(TTL_MS + 500);
  expect(trusted().flat()).toEqual([]);
  link.reachable = true;
  await clock.advance(2_000);
  expect(trusted()).toEqual(Array(PARTITIONS).fill(['a']));
});

test('election: a worker that stops while it announces itself is gone afterwards: nobody waits for its presence to end', async () => {
  for (let stopsAtMs = 1_000; stopsAtMs <= 2_000; stopsAtMs += 25) {
    const { clock, worker, leases } = createElection();
    const store = leases.connect();
    const slow: LeaseStore['put'] = async (key, holder) => {
      await clock.sleep(50);
      return await store.put(key, holder);
    };
    const { elector } = worker('a', { reachable: true }, { put: slow });
    await clock.advance(stopsAtMs);
    await Promise.all([elector.stop(), clock.advance(500)]);
    expect([stopsAtMs, leases.holder('worker.a')]).toEqual([stopsAtMs, undefined]);
  }
});
