import { Status } from '@stockbroker/rpc';
import { OverloadedError } from '@stockbroker/runtime';
import { StoreLockedError, StoreUnavailableError } from '@stockbroker/trade-flow';
import { expect, test } from 'vitest';
import { toRpcError } from '../src/errors.ts';
import { withPatience } from '../src/patience.ts';

const context = { deadline: undefined, signal: new AbortController().signal };
const full = new OverloadedError('trades', 100);
const locked = new StoreLockedError(new Error('canceling statement due to lock timeout'));
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

test('patience: a locked account is tried again, and served when it is free', async () => {
  expect(await failing(locked, locked)).toBe('done');
});

const busy = { code: Status.UNAVAILABLE, details: { info: { reason: 'ACCOUNT_BUSY' }, retryAfterMs: expect.any(Number) } };
const toClient = (error: unknown) =>
  toRpcError(error, (unexpected) => {
    throw unexpected;
  });

test('patience: an account that stays locked for as long as the caller waits is ACCOUNT_BUSY', async () => {
  const caller = new AbortController();
  let attempts = 0;
  const answer = withPatience({ deadline: undefined, signal: caller.signal }, 60_000, async () => {
    attempts += 1;
    if (attempts === 3) caller.abort();
    throw locked;
  });
  expect(await answer.catch(toClient)).toMatchObject(busy);
  expect(attempts).toBe(3);
});

test('patience: it is ACCOUNT_BUSY also when the next attempt is under way at the end of the caller’s time', async () => {
  let attempts = 0;
  const answer = withPatience({ ...context, deadline: new Date(Date.now() + 300) }, 60_000, () => {
    attempts += 1;
    return attempts === 1 ? Promise.reject(locked) : new Promise<never>(() => {});
  });
  expect(await answer.catch(toClient)).toMatchObject(busy);
});

test('patience: a database that does not answer is not an account that is busy', async () => {
  const answer = withPatience({ ...context, deadline: new Date(Date.now() + 300) }, 60_000, () => new Promise<never>(() => {}));
  expect(await answer.catch(toClient)).toMatchObject({ details: { info: { reason: 'DATABASE_UNAVAILABLE' } } });
});
