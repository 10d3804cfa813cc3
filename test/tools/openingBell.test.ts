import { tmpdir } from 'node:os';
import { expect, inject, test } from 'vitest';
import { openingBell } from '../../tools/bench/openingBell/openingBell.ts';

test('opening bell: trades that wait are all filled from the open on, not before, and the books are exact', async () => {
  const on = {
    databaseUrl: inject('postgresUrl'),
    natsUrl: inject('natsUrl'),
    folder: tmpdir(),
    seconds: 1,
    isStopped: () => false,
    onEvent: () => {},
  };
  const bell = await openingBell(on, { customers: 60, tradesOfEach: 2, workers: 1, openInMs: 5_000 });
  expect(bell).toMatchObject({ trades: 120, untold: 0, waits: { first: { count: 60 }, last: { count: 60 } } });
  // The clock of these workers is set: had it not held the trades back, they would have ended before its open.
  expect(bell.waits.first.p50).toBeGreaterThan(0);
  expect(Object.keys(bell.highestMemory)).toEqual(['gateway-1', 'worker-1', 'callback-1', 'exchange']);
  expect(bell.waits.unfairness).toBeGreaterThanOrEqual(1);
}, 120_000);
