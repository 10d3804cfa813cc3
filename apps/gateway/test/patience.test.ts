import { OverloadedError } from '@stockbroker/runtime';
import { StoreUnavailableError } from '@stockbroker/trade-flow';
import { expect, test } from 'vitest';
import { withPatience } from '../src/patience.ts';

const context = { deadline: undefined, signal: new AbortController().signal };
const full = new OverloadedError('trades', 100);
const lost = new StoreUnavailableError(new Error('the connection broke during the commit'));

/** Fails with each of these in turn, and then succeeds. */
const failing = (...errors: Error[]) =>
  withPatience(context, 60_000, async () => {
    const error = errors.shift();
    if (error !== undefined) throw error;
    return 'done';
  });

test('patience: what the database could not do is repeated', async () => {
  expect(await failing(lost, lost)).toBe('done');
});

test('patience: a full queue is told at once', async () => {
  await expect(failing(full)).rejects.toBe(full);
});

test('patience: a full queue does not say that nothing was done when an earlier attempt is in doubt', async () => {
  await expect(failing(lost, full)).rejects.toBe(lost);
});
