import { expect, test } from 'vitest';
import type { LeaseStore } from '../src/index.ts';
import { toValue } from '../src/keys.ts';
import { createElection, PARTITIONS, TTL_MS } from './election.ts';

test('drain: a worker that is asked to gives everything to the others after the work in hand, and takes nothing until it is restarted', async () => {
  const { clock, worker, trusted, leases, handOvers } = createElection();
  const { elector } = worker('a');
  worker('b');
  await clock.advance(2_000);
  const done = Promise.withResolvers<void>();
  handOvers.set('a', () => done.promise);
  await leases.connect().put('drain.a', 'asked');
  await clock.advance(4_000);
  expect(elector.isDraining).toBe(true);
  expect(leases.holder('worker.a')).toBe(toValue('draining', TTL_MS));
  expect(new Set(trusted().flat())).toEqual(new Set(['a', 'b']));
  done.resolve();
  await clock.advance(1_000);
  expect(trusted()).toEqual(Array(PARTITIONS).fill(['b']));
  // The key that asked for it has long gone.
  await clock.advance(60_000);
  expect(leases.holder('drain.a')).toBeUndefined();
  expect(trusted()).toEqual(Array(PARTITIONS).fill(['b']));
});

test('drain: the last worker that takes part leaves its partitions without a leader rather than lead again; a new one takes them', async () => {
  const { clock, worker, trusted, leases } = createElection();
  worker('a');
  await clock.advance(500);
  await leases.connect().put('drain.a', 'asked');
  await clock.advance(20_000);
  expect(trusted()).toEqual(Array(PARTITIONS).fill([]));
  worker('a2');
  await clock.advance(500);
  expect(trusted()).toEqual(Array(PARTITIONS).fill(['a2']));
});

test('drain: a lease that is won in the moment of the request is given back', async () => {
  const { clock, worker, leases, log } = createElection();
  const answered = Promise.withResolvers<void>();
  const store = leases.connect();
  const create: LeaseStore['create'] = async (key, holder) => {
    const revision = await store.create(key, holder);
    await answered.promise;
    return revision;
  };
  worker('a', { reachable: true }, { create });
  await clock.advance(500);
  expect(leases.holder('partition.0')).toBe(toValue('a', TTL_MS));
  await store.put('drain.a', 'asked');
  await clock.advance(100);
  answered.resolve();
  await clock.advance(100);
  expect(leases.holder('partition.0')).toBeUndefined();
  expect(log).toEqual([]);
});

test('drain: another worker’s request means nothing', async () => {
  const { clock, worker, trusted, leases } = createElection();
  const { elector } = worker('a');
  await clock.advance(500);
  await leases.connect().put('drain.ab', 'asked');
  await clock.advance(500);
  expect(elector.isDraining).toBe(false);
  expect(trusted()).toEqual(Array(PARTITIONS).fill(['a']));
});

test('election: a worker that stops waits for a hand-over that is under way already', async () => {
  const { clock, worker, handOvers, leases } = createElection();
  const { elector } = worker('a');
  await clock.advance(500);
  const done = Promise.withResolvers<void>();
  handOvers.set('a', () => done.promise);
  await leases.connect().put('drain.a', 'asked');
  await clock.advance(100);
  let stopped = false;
  const stopping = elector.stop().then(() => {
    stopped = true;
  });
  await clock.advance(5_000);
  expect(stopped).toBe(false);
  done.resolve();
  await clock.advance(500);
  await stopping;
  expect(leases.holder('partition.0')).toBeUndefined();
});

test('drain: a worker that is deaf for a moment hears the request that is repeated', async () => {
  const { clock, worker, trusted, leases } = createElection();
  const store = leases.connect();
  let deaf = false;
  const watch: LeaseStore['watch'] = async function* (signal) {
    for await (const change of store.watch(signal)) if (!deaf) yield change;
  };
  worker('b');
  const { elector } = worker('a', { reachable: true }, { watch });
  await clock.advance(2_000);
  deaf = true;
  await store.put('drain.a', 'asked');
  await clock.advance(TTL_MS + 1_000);
  deaf = false;
  await clock.advance(4_000);
  expect(elector.isDraining).toBe(false);
  expect(trusted().flat()).toContain('a');
  await store.put('drain.a', 'asked');
  await clock.advance(1_000);
  expect(trusted()).toEqual(Array(PARTITIONS).fill(['b']));
});
