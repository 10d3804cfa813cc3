import { expect, test } from 'vitest';
import { leadingProblem } from '../src/leadingProblem.ts';

test('worker: partitions that it should lead and does not are named, a few of them, with the reason', () => {
  expect(leadingProblem([{ partitions: [], why: 'x' }])).toBeUndefined();
  expect(
    leadingProblem([
      { partitions: [3], why: 'the disk is full' },
      { partitions: [1, 2, 4, 5, 6, 7, 8], why: 'the database only reads' },
    ]),
  ).toBe('nobody leads partition 3: the disk is full; nobody leads partitions 1, 2, 4, 5, 6 and 2 more: the database only reads');
});
