import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BREAKAGES } from '../../tools/chaos/breakages.ts';
import { patched } from '../../tools/chaos/sourceCopy.ts';

const ROOT = join(import.meta.dirname, '..', '..');

test.each(BREAKAGES)('the breakage $name still fits the sources', ({ patches }) => {
  const texts = new Map(patches.map(({ file }) => [file, readFileSync(join(ROOT, file), 'utf8')]));
  for (const patch of patches) {
    const before = texts.get(patch.file) ?? '';
    const after = patched(before, patch);
    expect(after).not.toBe(before);
    texts.set(patch.file, after);
  }
});

test('a text that is there twice, or no more, is no place for a breakage', () => {
  expect(() => patched('one two one', { file: 'x', find: 'one', replace: '' })).toThrow(/2 times/);
  expect(() => patched('one two one', { file: 'x', find: 'three', replace: '' })).toThrow(/0 times/);
});

test.each([
  'acknowledged',
  'one trade per request',
  'ended',
  'fills',
  'order',
  'one at a time',
  'cash',
  'shares',
  'holds',
  'negative',
  'answers',
  'account reads',
  'quarantine',
  'errors',
])('there is a breakage for the check: %s', (check) => {
  expect(BREAKAGES.map(({ seenBy }) => seenBy)).toContain(check);
});
