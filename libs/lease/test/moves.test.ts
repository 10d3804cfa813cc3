import { expect, test } from 'vitest';
import { createElection, PARTITIONS } from './election.ts';

/** A leads everything, then B joins, and A's work in hand never ends by itself. */
async function slowMoves() {
  const election = createElection();
  const a = election.worker('a');
  await election.clock.advance(500);
  const ending: (() => void)[] = [];
  election.handOvers.set('a', () => new Promise((resolve) => ending.push(resolve)));
  const b = election.worker('b');
  await election.clock.advance(500);
  return { ...election, a, b, ending };
}

test('moves: a worker hands over one partition at a time, and leads the others meanwhile', async () => {
  const { clock, trusted, ending } = await slowMoves();
  await clock.advance(10_000);
  expect(ending).toHaveLength(1);
  expect(trusted()).toEqual(Array(PARTITIONS).fill(['a']));
  ending[0]?.();
  await clock.advance(150);
  expect(ending).toHaveLength(2);
  expect(trusted().filter(([leader]) => leader === 'b')).toHaveLength(1);
  for (let moved = 1; moved < 10; moved += 1) {
    ending[moved]?.();
    await clock.advance(150);
  }
  expect(trusted().filter(([leader]) => leader === 'b')).toHaveLength(10);
  await clock.advance(5_000);
  expect(ending).toHaveLength(10);
});

test('moves: partitions that nobody takes do not keep the others', async () => {
  const { clock, a, b, ending, trusted, handOvers } = await slowMoves();
  b.link.reachable = false;
  for (const end of ending) end();
  const before = ending.length;
  await clock.advance(90);
  expect(ending).toHaveLength(before);
  await clock.advance(60);
  expect(ending.length).toBeGreaterThan(before);
  handOvers.delete('a');
  for (const end of ending) end();
  await Promise.all([a.elector.stop(), clock.advance(3_000)]);
  expect(trusted().flat()).toEqual([]);
});

test('moves: what has not begun is not handed over when the worker that it was meant for has gone', async () => {
  const { clock, b, ending, trusted } = await slowMoves();
  b.link.reachable = false;
  await clock.advance(5_000); // Its presence ends.
  for (const end of ending) end();
  await clock.advance(2_000);
  expect(ending).toHaveLength(1);
  expect(trusted()).toEqual(Array(PARTITIONS).fill(['a']));
});
