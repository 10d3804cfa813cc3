import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { patched } from '../../tools/breakages/sourceCopy.ts';
import { BREAKAGES as CHAOS } from '../../tools/chaos/breakages.ts';
import { BREAKAGES as SIMULATION } from '../../tools/simulation/breakages.ts';

const ROOT = join(import.meta.dirname, '..', '..');

test.each([...CHAOS, ...SIMULATION])('the breakage $name still fits the sources', ({ patches }) => {
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
