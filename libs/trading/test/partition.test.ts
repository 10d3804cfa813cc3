import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fnv1a32, partitionOf } from '../src/index.ts';

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
