import fc from 'fast-check';
import { expect, test } from 'vitest';
import { clusterOf, fnv1a32, partitionOf } from '../src/index.ts';

// Test vectors of the hash's authors: http://www.isthe.com/chongo/src/fnv/test_fnv.c
test.each([
  ['', 0x811c9dc5],
  ['a', 0xe40c292c],
  ['foobar', 0xbf9cf968],
])('partition: FNV-1a of %j is %d', (text, hash) => {
  expect(fnv1a32(text)).toBe(hash);
});

test('partition: every customer has one partition in range', () => {
  fc.assert(
    fc.property(fc.uuid(), fc.integer({ min: 1, max: 1_000 }), (customer, count) => {
      const partition = partitionOf(customer, count);
      expect(partition).toBe(partitionOf(customer, count));
      expect(partition >= 0 && partition < count).toBe(true);
    }),
  );
});

const workerNames = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 12 }), { minLength: 2, maxLength: 12 });

test('cluster: the order in which workers are known does not matter', () => {
  fc.assert(
    fc.property(workerNames, fc.nat(99), (workers, partition) => {
      expect(clusterOf(partition, workers.toReversed(), 3)).toEqual(clusterOf(partition, workers, 3));
    }),
  );
});

test('cluster: when a worker leaves, only its own partitions get another leader', () => {
  fc.assert(
    fc.property(workerNames, fc.nat(99), (workers, partition) => {
      const [leader] = clusterOf(partition, workers, 3);
      const [gone = ''] = workers.filter((worker) => worker !== leader);
      const [after] = clusterOf(
        partition,
        workers.filter((worker) => worker !== gone),
        3,
      );
      expect(after).toBe(leader);
    }),
  );
});

test('cluster: three workers share a hundred partitions without one that leads most', () => {
  const led = new Map<string, number>();
  for (let partition = 0; partition < 100; partition += 1) {
    const [leader = ''] = clusterOf(partition, ['worker-1-ab12cd34', 'worker-2-99aa88bb', 'worker-3-5f5f5f5f'], 3);
    led.set(leader, (led.get(leader) ?? 0) + 1);
  }
  expect([...led.values()].every((count) => count >= 20 && count <= 50)).toBe(true);
});
