import { expect, test } from 'vitest';
import { type LeaseEntry, snapshotOf } from '../src/leaseBucket.ts';

function entry(key: string, value: string | null, created: number): LeaseEntry {
  return { key, operation: value === null ? 'DEL' : 'PUT', string: () => value ?? '', created: new Date(created) };
}

test('a worker that announces itself while the bucket is read is one worker, with what it says last', () => {
  const { workers } = snapshotOf(
    [entry('worker.b', 'b', 1), entry('worker.a', 'a', 2), entry('worker.b', 'b', 3), entry('worker.a', 'draining', 4)],
    4,
  );
  expect(workers).toEqual([
    { id: 'a', draining: true },
    { id: 'b', draining: false },
  ]);
});

test('of a lease that changes hands while the bucket is read, the last state counts', () => {
  const { leases } = snapshotOf(
    [
      entry('partition.1', 'a', 1),
      entry('partition.2', 'a', 2),
      entry('partition.3', 'a', 3),
      entry('partition.1', null, 4),
      entry('partition.2', null, 5),
      entry('partition.2', 'b', 6),
    ],
    6,
  );
  const expected = new Map([
    [2, { holder: 'b', renewedAt: new Date(6) }],
    [3, { holder: 'a', renewedAt: new Date(3) }],
  ]);
  expect(leases).toEqual(expected);
});

test('what has outlived its lifetime is not alive, however long the bucket keeps it', () => {
  const { workers, leases } = snapshotOf(
    [entry('worker.a', 'a 3000', 1_000), entry('partition.1', 'a 3000', 1_500), entry('partition.2', 'a 60000', 1_000)],
    4_400,
  );
  expect(workers).toEqual([]);
  expect([...leases.keys()]).toEqual([1, 2]);
});
