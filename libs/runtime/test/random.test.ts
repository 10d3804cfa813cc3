import { expect, test } from 'vitest';
import { systemRandom } from '../src/index.ts';

test('random bytes: each is handed out once, also where the store of them is filled up again, and more than it holds', () => {
  const all = Array.from({ length: 2_000 }, () => Buffer.from(systemRandom.bytes(10)).toString('hex'));
  expect(new Set(all).size).toBe(2_000);
  expect(all.every((bytes) => bytes.length === 20)).toBe(true);
  const [first, second] = [systemRandom.bytes(16), systemRandom.bytes(16)];
  const before = Buffer.from(second).toString('hex');
  first.fill(0);
  expect(Buffer.from(second).toString('hex')).toBe(before);
  expect(systemRandom.bytes(10_000)).toHaveLength(10_000);
});
