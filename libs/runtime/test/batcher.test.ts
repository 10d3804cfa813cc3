import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Batcher, OverloadedError } from '../src/index.ts';

/** A `run` whose batches end when the test says so. */
function controlled() {
  const batches: { items: number[]; done: PromiseWithResolvers<number[]> }[] = [];
  const run = (items: number[]) => {
    const done = Promise.withResolvers<number[]>();
    batches.push({ items, done });
    return done.promise;
  };
  return { batches, run };
}

const limits = { name: 'test', maxBatch: 3, concurrency: 1, maxQueue: 5 };
/** A batch that ended in one turn of the event loop lets the next one start at the end of the turn after it. */
const turn = async () => {
  await nextTurn();
  await nextTurn();
};

test('batcher: an idle one starts at once, and what comes meanwhile fills the next batch', async () => {
  const { batches, run } = controlled();
  const batcher = new Batcher<number, number>({ ...limits, run });
  const results = [1, 2].map((item) => batcher.submit(item));
  await turn();
  expect(batches.map((batch) => batch.items)).toEqual([[1, 2]]);
  results.push(...[3, 4, 5, 6].map((item) => batcher.submit(item)));
  await turn();
  expect(batches).toHaveLength(1);
  batches[0]?.done.resolve([10, 20]);
  await turn();
  expect(batches.map((batch) => batch.items)).toEqual([
    [1, 2],
    [3, 4, 5],
  ]);
  batches[1]?.done.resolve([30, 40, 50]);
  await turn();
  batches[2]?.done.resolve([60]);
  expect(await Promise.all(results)).toEqual([10, 20, 30, 40, 50, 60]);
});

test('batcher: all that comes in one turn of the event loop shares a batch, also what comes just after another one has ended', async () => {
  const { batches, run } = controlled();
  const batcher = new Batcher<number, number>({ ...limits, run });
  const later = (item: number) => new Promise((resolve) => process.nextTick(() => resolve(batcher.submit(item))));
  const results = [batcher.submit(1), later(2)];
  await turn();
  expect(batches.map((batch) => batch.items)).toEqual([[1, 2]]);
  results.push(batcher.submit(3));
  batches[0]?.done.resolve([1, 2]);
  results.push(later(4));
  await turn();
  expect(batches[1]?.items).toEqual([3, 4]);
  batches[1]?.done.resolve([3, 4]);
  expect(await Promise.all(results)).toEqual([1, 2, 3, 4]);
});

test('batcher: a full queue refuses, and says when to come again', async () => {
  const { batches, run } = controlled();
  const batcher = new Batcher<number, number>({ ...limits, run });
  const accepted = [1, 2, 3, 4, 5].map((item) => batcher.submit(item));
  await expect(batcher.submit(6)).rejects.toThrow(OverloadedError);
  await turn();
  batches[0]?.done.resolve([1, 2, 3]);
  await turn();
  batches[1]?.done.resolve([4, 5]);
  expect(await Promise.all(accepted)).toEqual([1, 2, 3, 4, 5]);
});

test('batcher: an item withdrawn while it waits is never run', async () => {
  const { batches, run } = controlled();
  const batcher = new Batcher<number, number>({ ...limits, run });
  const first = batcher.submit(1);
  await turn();
  const abort = new AbortController();
  const withdrawn = batcher.submit(2, abort.signal);
  const third = batcher.submit(3);
  abort.abort(new Error('gone'));
  batches[0]?.done.resolve([1]);
  await expect(withdrawn).rejects.toThrow('gone');
  await turn();
  expect(batches[1]?.items).toEqual([3]);
  batches[1]?.done.resolve([3]);
  expect(await Promise.all([first, third])).toEqual([1, 3]);
});

test('batcher: items with one key never run at the same time, and run in order', async () => {
  const { batches, run } = controlled();
  const batcher = new Batcher<number, number>({ ...limits, concurrency: 2, maxQueue: 10, run, key: (item) => String(item % 2) });
  const results = [1, 3, 2, 5].map((item) => batcher.submit(item));
  await turn();
  expect(batches.map((batch) => batch.items)).toEqual([[1, 2]]);
  batches[0]?.done.resolve([1, 2]);
  await turn();
  expect(batches[1]?.items).toEqual([3]);
  batches[1]?.done.resolve([3]);
  await turn();
  expect(batches[2]?.items).toEqual([5]);
  batches[2]?.done.resolve([5]);
  expect(await Promise.all(results)).toEqual([1, 3, 2, 5]);
});

test('batcher: a poison item fails alone, whatever its place in the batch', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(fc.nat(50), { minLength: 1, maxLength: 40 }), fc.nat(50), async (items, poison) => {
      const batcher = new Batcher<number, number>({
        name: 'poison',
        maxBatch: 16,
        concurrency: 2,
        maxQueue: 100,
        isItemError: (error) => error instanceof RangeError,
        run: async (batch) => {
          if (batch.includes(poison)) throw new RangeError('poison');
          return batch.map((item) => item * 2);
        },
      });
      const results = await Promise.allSettled(items.map((item) => batcher.submit(item)));
      expect(results.map((result) => (result.status === 'fulfilled' ? result.value : 'failed'))).toEqual(
        items.map((item) => (item === poison ? 'failed' : item * 2)),
      );
      await batcher.idle();
    }),
  );
});

test('batcher: an error that is no item’s fault fails the whole batch, once', async () => {
  let runs = 0;
  const batcher = new Batcher<number, number>({
    ...limits,
    isItemError: () => false,
    run: async () => {
      runs += 1;
      throw new Error('down');
    },
  });
  const results = await Promise.allSettled([1, 2, 3].map((item) => batcher.submit(item)));
  expect(results.every((result) => result.status === 'rejected')).toBe(true);
  expect(runs).toBe(1);
});

test('batcher: what two batches at once bring of one key that is held up is tried as one, and nothing of it is lost', async () => {
  const heldUp = new Error('held up');
  const calls: number[][] = [];
  const run = async (items: number[]) => {
    calls.push(items);
    // Both batches, and then whichever is tried first, until the other one has its turn.
    const first = calls[2];
    if (calls.length <= 3 || (calls.length <= 6 && items[0] === first?.[0])) throw heldUp;
    return items;
  };
  const aside = { isHeldUp: (error: unknown) => error === heldUp, of: () => 'key', patienceMs: 60_000 };
  const batcher = new Batcher<number, number>({ ...limits, maxBatch: 2, maxQueue: 10, concurrency: 2, run, aside });
  const results = [1, 2, 3, 4].map((item) => batcher.submit(item));
  await turn();
  results.push(...[5, 6].map((item) => batcher.submit(item)));
  expect(await Promise.all(results)).toEqual([1, 2, 3, 4, 5, 6]);
  await batcher.idle();
  // Of one key in order, and never twice at the same time.
  expect(calls.slice(-3).flat()).toEqual([1, 2, 3, 4, 5, 6]);
});
