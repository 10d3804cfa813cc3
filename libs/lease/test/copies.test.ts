import { expect, test } from 'vitest';
import type { LeaseChange, LeaseStore } from '../src/index.ts';
import { createElection, TTL_MS } from './election.ts';

/** A watch of a copy that has diverged: it numbers announcements by itself, and refuses whatever names a revision. */
async function* diverged(changes: AsyncIterable<LeaseChange>): AsyncIterable<LeaseChange> {
  for await (const change of changes)
    if (change.key.startsWith('worker.')) yield { ...change, revision: change.revision + 1_000 };
}

test('election: a watch whose copy of the bucket has diverged is begun anew until it shows what is stored', async () => {
  const { clock, leases, worker, trusted } = createElection();
  const store = leases.connect();
  let watches = 0;
  const watch: LeaseStore['watch'] = (signal) => {
    watches += 1;
    return watches <= 2 ? diverged(store.watch(signal)) : store.watch(signal);
  };
  worker('a');
  await clock.advance(1_000);
  const { elector } = worker('b', { reachable: true }, { watch });
  await clock.advance(3 * TTL_MS);
  expect(watches).toBe(3);
  expect(elector.withoutLeader.partitions).toEqual([]);
  expect(trusted().every((leaders) => leaders.length === 1)).toBe(true);
  expect(new Set(trusted().flat())).toEqual(new Set(['a', 'b']));
});

test('election: what the watch told of a lease before it was taken says nothing afterwards', async () => {
  const { clock, leases, worker } = createElection();
  const store = leases.connect();
  let tell: (change: LeaseChange) => void = () => {};
  const create: LeaseStore['create'] = async (key, holder) => {
    // Somebody else's lease, which ended before this call was done; the watch tells of it meanwhile.
    if (key === 'partition.3') tell({ key, holder: 'somebody 3000', revision: 0, ageMs: 0 });
    await clock.sleep(20);
    return await store.create(key, holder);
  };
  const watch: LeaseStore['watch'] = (signal) => merged(store.watch(signal), (listen) => (tell = listen));
  const { elector } = worker('a', { reachable: true }, { create, watch });
  await clock.advance(4 * TTL_MS);
  expect(elector.held).toContain(3);
  expect(elector.withoutLeader.partitions).toEqual([]);
});

/** The changes, and in between what is told by hand. */
async function* merged(
  changes: AsyncIterable<LeaseChange>,
  onTold: (tell: (change: LeaseChange) => void) => void,
): AsyncIterable<LeaseChange> {
  const told: LeaseChange[] = [];
  let wake = Promise.withResolvers<'told'>();
  onTold((change) => {
    told.push(change);
    wake.resolve('told');
  });
  const iterator = changes[Symbol.asyncIterator]();
  for (let next = iterator.next(); ; ) {
    const first = await Promise.race([next, wake.promise]);
    if (first === 'told') {
      wake = Promise.withResolvers<'told'>();
      yield* told.splice(0);
    } else {
      if (first.done === true) return;
      yield first.value;
      next = iterator.next();
    }
  }
}
